package pyflink.durable.log;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Describes the attempt of a subtask that a test opens a log for. */
public final class TestAttempt {

    public static final int MAX_PARALLELISM = 8;

    private String uid = "orders";
    private String job = "a0";
    private int subtask;
    private int parallelism = 1;
    private int attempt;
    private RestoredCheckpoint restored;
    private String expectedLog;

    public static TestAttempt ofJob(String job) {
        TestAttempt made = new TestAttempt();
        made.job = job;
        return made;
    }

    public TestAttempt uid(String operatorUid) {
        this.uid = operatorUid;
        return this;
    }

    public TestAttempt attempt(int number) {
        this.attempt = number;
        return this;
    }

    public TestAttempt subtask(int index, int of) {
        this.subtask = index;
        this.parallelism = of;
        return this;
    }

    public TestAttempt restoredFrom(String ofJob, long checkpointId) {
        this.restored = new RestoredCheckpoint(ofJob, checkpointId);
        return this;
    }

    /** The log that the restored checkpoint goes with. */
    public TestAttempt expecting(String logId) {
        this.expectedLog = logId;
        return this;
    }

    public CallLogContext context() {
        return new CallLogContext(
                uid, job, subtask, parallelism, MAX_PARALLELISM, attempt, restored, expectedLog);
    }

    /** Opens the log and reads what is for this attempt. */
    public OpenLog open(Map<String, String> settings) throws IOException {
        CallLog log = CallLogFactory.open(settings, context(), TestAttempt.class.getClassLoader());
        List<LogEntry> recovered = new ArrayList<>();
        try {
            log.recover(recovered::add);
        } catch (IOException | RuntimeException e) {
            log.close();
            throw e;
        }
        return new OpenLog(log, recovered);
    }
}
