package pyflink.durable.operator;

import java.util.HashMap;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.CallLogFactory;
import pyflink.durable.log.RestoredCheckpoint;
import pyflink.durable.state.CallLogState;

/**
 * Opens the call log of an attempt: learns which checkpoint is restored, of which job, and which
 * log it goes with, since that log is read from there on.
 */
final class CallLogOpening {

    /** The setting that names the log in whose place another one is given on purpose. */
    static final String INSTEAD_OF = "instead.of";

    private final Map<String, String> settings;
    private final String insteadOf;
    private final String uid;
    private final String jobId;
    private CallLogState state;
    @Nullable private RestoredCheckpoint restored;

    CallLogOpening(Map<String, String> settings, String uid, String jobId) {
        this.settings = new HashMap<>(settings);
        this.insteadOf = this.settings.remove(INSTEAD_OF);
        this.uid = uid;
        this.jobId = jobId;
    }

    void initializeState(StateInitializationContext context) throws Exception {
        state = CallLogState.in(context.getOperatorStateStore());
        if (context.getRestoredCheckpointId().isPresent()) {
            String job = state.restoredJob();
            restored =
                    new RestoredCheckpoint(
                            job == null ? RestoredCheckpoint.NO_LOG : job,
                            context.getRestoredCheckpointId().getAsLong());
        }
    }

    CallLog open(StreamingRuntimeContext context, ClassLoader classLoader) throws Exception {
        TaskInfo task = context.getTaskInfo();
        CallLogContext attempt =
                new CallLogContext(
                        uid,
                        jobId,
                        task.getIndexOfThisSubtask(),
                        task.getNumberOfParallelSubtasks(),
                        task.getMaxNumberOfParallelSubtasks(),
                        task.getAttemptNumber(),
                        restored,
                        expectedLog());
        CallLog log = CallLogFactory.open(settings, attempt, classLoader);
        state.put(jobId, log.id());
        return log;
    }

    /** What {@link CallLogContext#requireLog} is to look for. */
    @Nullable
    private String expectedLog() throws Exception {
        if (restored == null || restored.jobId().equals(RestoredCheckpoint.NO_LOG)) {
            return null;
        }
        String log = state.log();
        String name = log == null ? restored.jobId() : log;
        if (name.equals(insteadOf)) {
            return null;
        }
        return log == null ? CallLogContext.ANY_LOG : log;
    }
}
