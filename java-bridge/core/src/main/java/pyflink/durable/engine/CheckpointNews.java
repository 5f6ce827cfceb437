package pyflink.durable.engine;

import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/** When a subtask last saw something of a checkpoint. Works on the task thread only. */
final class CheckpointNews {

    private final ProcessingTimeService clock;
    private final long began;
    @Nullable private Long lastSnapshot;
    @Nullable private Long lastCompletion;
    private long lastCompleted;

    CheckpointNews(ProcessingTimeService clock) {
        this.clock = clock;
        this.began = clock.getCurrentProcessingTime();
    }

    void snapshotTaken() {
        lastSnapshot = clock.getCurrentProcessingTime();
    }

    /** Whether that is new: with the news of an aborted checkpoint Flink repeats the last one's. */
    boolean completed(long checkpointId) {
        if (checkpointId <= lastCompleted) {
            return false;
        }
        lastCompleted = checkpointId;
        lastCompletion = clock.getCurrentProcessingTime();
        return true;
    }

    /** For how long none has completed in this attempt. */
    long millisWithout() {
        long since = lastCompletion == null ? began : lastCompletion;
        return clock.getCurrentProcessingTime() - since;
    }

    @Override
    public String toString() {
        String completions =
                lastCompletion == null
                        ? "no checkpoint has completed in this attempt, which began "
                                + secondsSince(began)
                                + " s ago"
                        : "the last checkpoint completed "
                                + secondsSince(lastCompletion)
                                + " s ago";
        boolean begun =
                lastSnapshot != null && (lastCompletion == null || lastSnapshot > lastCompletion);
        return completions
                + (begun
                        ? ", and one that came " + secondsSince(lastSnapshot) + " s ago has not"
                        : ", and none has come since");
    }

    private long secondsSince(long time) {
        return (clock.getCurrentProcessingTime() - time) / 1_000;
    }
}
