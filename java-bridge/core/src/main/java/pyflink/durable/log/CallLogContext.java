package pyflink.durable.log;

import java.io.IOException;
import java.util.Objects;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/** The attempt of a subtask that a {@link CallLog} is made for. */
public final class CallLogContext {

    /** The id of a log that must be there, and that nothing else is known of. */
    public static final String ANY_LOG = "";

    private final String operatorUid;
    private final String jobId;
    private final int subtask;
    private final int parallelism;
    private final int maxParallelism;
    private final int attempt;
    private final KeyGroupRange keyGroups;
    @Nullable private final RestoredCheckpoint restored;
    @Nullable private final String expectedLog;

    /**
     * @param restored what the attempt starts from; null if it starts without state
     * @param expectedLog the id of the log that this goes with, or {@link #ANY_LOG}; null if it may
     *     start with a new one
     */
    public CallLogContext(
            String operatorUid,
            String jobId,
            int subtask,
            int parallelism,
            int maxParallelism,
            int attempt,
            @Nullable RestoredCheckpoint restored,
            @Nullable String expectedLog) {
        this.operatorUid = Objects.requireNonNull(operatorUid, "operatorUid");
        this.jobId = Objects.requireNonNull(jobId, "jobId");
        this.subtask = subtask;
        this.parallelism = parallelism;
        this.maxParallelism = maxParallelism;
        this.attempt = attempt;
        this.keyGroups =
                KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex(
                        maxParallelism, parallelism, subtask);
        this.restored = restored;
        this.expectedLog = expectedLog;
    }

    public String operatorUid() {
        return operatorUid;
    }

    public int maxParallelism() {
        return maxParallelism;
    }

    public KeyGroupRange keyGroups() {
        return keyGroups;
    }

    public Optional<RestoredCheckpoint> restored() {
        return Optional.ofNullable(restored);
    }

    /**
     * Refuses another log than the one that the restored checkpoint goes with: it would not know
     * the calls that were made since. Each log calls this before it makes anything.
     *
     * @param place where it is, to name it in errors
     * @param found the id of the log there, null if there is none
     */
    public void requireLog(String place, @Nullable String found) throws IOException {
        boolean right = found != null && (ANY_LOG.equals(expectedLog) || found.equals(expectedLog));
        if (expectedLog == null || right) {
            return;
        }
        String name = expectedLog.equals(ANY_LOG) ? restored.jobId() : expectedLog;
        throw new IOException(
                String.format(
                        "%s goes with the call log %s, and %s. Calls that were made since would be"
                                + " made again. Look for the log: a disk that is not mounted, a"
                                + " topic that was deleted, another setting. Only if it is lost, or"
                                + " if this is an older savepoint that starts with a new log: look"
                                + " in the outside systems for calls that were made since, and give"
                                + " the call log instead_of=\"%s\".",
                        restored,
                        name,
                        found == null
                                ? "there is none in " + place
                                : "in " + place + " is the log " + found,
                        name));
    }

    /** The epoch of what is appended before the first snapshot. */
    public long firstEpoch() {
        return restored == null ? 0 : restored.id();
    }

    /** This attempt, as the records it appends will name it. */
    public LogWriter writer(long generation) {
        return new LogWriter(jobId, subtask, attempt, generation, restored);
    }

    /**
     * Whether this attempt needs the entries that a writer appended in an epoch.
     *
     * <p><b>Restored from checkpoint C of job W:</b> the entries of epochs from C on, of
     *
     * <ul>
     *   <li>job W. Without them, calls made between C and the crash would run again. W may be an
     *       earlier job, of which this one is the continuation.
     *   <li>any job that was itself restored from this checkpoint. Without them, a job that is
     *       started from a savepoint, crashes before its first checkpoint and is started again
     *       (under a new id) from the same savepoint would repeat its calls.
     * </ul>
     *
     * <p>Of no other job: epochs are only comparable within one history. Checkpoint 5 of a job is
     * not after checkpoint 4 of an unrelated job that once ran on this log; its entries would
     * answer the calls of this one, for keys and invocation ids are often the same in both.
     *
     * <p><b>Started without state:</b> the entries of this same job that were appended by attempts
     * which started without state too: a failure before the first checkpoint. Never those of
     * another job. A job that is started afresh is meant to do its work again, and a replay of
     * yesterday's outcomes would skip it. (A cluster that gives each run the same job id makes two
     * fresh runs look like one: give such a run a log of its own.)
     */
    public boolean takes(LogWriter writer, long epoch) {
        return epoch >= firstEpoch() && isOfSameHistory(writer);
    }

    /** Whether this attempt continues what the writer did: see {@link #takes}. */
    public boolean isOfSameHistory(LogWriter writer) {
        if (restored == null) {
            return writer.jobId().equals(jobId) && writer.restored().isEmpty();
        }
        return writer.jobId().equals(restored.jobId())
                || restored.equals(writer.restored().orElse(null));
    }

    /** Names the subtask in logs and threads. */
    @Override
    public String toString() {
        return String.format("%s (%d/%d)#%d", operatorUid, subtask + 1, parallelism, attempt);
    }
}
