package pyflink.durable.log;

import java.util.Objects;

/**
 * The checkpoint or savepoint that a job was restored from. Its id alone does not name it: every
 * job counts its checkpoints from 1.
 */
public final class RestoredCheckpoint {

    /** The {@link #jobId} of a checkpoint that was taken without a call log. */
    public static final String NO_LOG = "";

    private final String jobId;
    private final long id;

    /**
     * @param jobId the job that took the checkpoint, as it is in its state; or {@link #NO_LOG}
     * @param id the checkpoint's id
     */
    public RestoredCheckpoint(String jobId, long id) {
        this.jobId = Objects.requireNonNull(jobId, "jobId");
        this.id = id;
    }

    public String jobId() {
        return jobId;
    }

    public long id() {
        return id;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RestoredCheckpoint
                && ((RestoredCheckpoint) other).jobId.equals(jobId)
                && ((RestoredCheckpoint) other).id == id;
    }

    @Override
    public int hashCode() {
        return Objects.hash(jobId, id);
    }

    @Override
    public String toString() {
        return "checkpoint " + id + " of job " + (jobId.isEmpty() ? "(without a log)" : jobId);
    }
}
