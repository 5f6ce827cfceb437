package pyflink.durable.log;

import java.util.Objects;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.runtime.state.KeyGroupRange;

/** The attempt of a subtask that a {@link CallLog} is made for. */
public final class CallLogContext {

    private final String operatorUid;
    private final String jobId;
    private final int subtask;
    private final int parallelism;
    private final int maxParallelism;
    private final int attempt;
    private final KeyGroupRange keyGroups;
    @Nullable private final RestoredCheckpoint restored;

    public CallLogContext(
            String operatorUid,
            String jobId,
            int subtask,
            int parallelism,
            int maxParallelism,
            int attempt,
            KeyGroupRange keyGroups,
            @Nullable RestoredCheckpoint restored) {
        this.operatorUid = Objects.requireNonNull(operatorUid, "operatorUid");
        this.jobId = Objects.requireNonNull(jobId, "jobId");
        this.subtask = subtask;
        this.parallelism = parallelism;
        this.maxParallelism = maxParallelism;
        this.attempt = attempt;
        this.keyGroups = Objects.requireNonNull(keyGroups, "keyGroups");
        this.restored = restored;
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
