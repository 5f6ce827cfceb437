package pyflink.durable.log;

import java.io.IOException;
import java.util.Objects;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * One attempt of one subtask, as the log's records name it. It says to which history the records
 * belong, and what came first.
 */
public final class LogWriter {

    private final String jobId;
    private final int subtask;
    private final int attempt;
    private final long generation;
    @Nullable private final RestoredCheckpoint restored;

    LogWriter(
            String jobId,
            int subtask,
            int attempt,
            long generation,
            @Nullable RestoredCheckpoint restored) {
        this.jobId = Objects.requireNonNull(jobId, "jobId");
        this.subtask = subtask;
        this.attempt = attempt;
        this.generation = generation;
        this.restored = restored;
    }

    public String jobId() {
        return jobId;
    }

    public int subtask() {
        return subtask;
    }

    public int attempt() {
        return attempt;
    }

    /**
     * Puts the records of successive writers in order: greater than that of every writer that this
     * one has succeeded. Their epochs do not (a new attempt starts again at the restored
     * checkpoint), nor do attempt numbers (they start again with a new JobManager) or clocks.
     */
    public long generation() {
        return generation;
    }

    /** What this writer's attempt started from; empty if it started without state. */
    public Optional<RestoredCheckpoint> restored() {
        return Optional.ofNullable(restored);
    }

    public void writeTo(DataOutputView out) throws IOException {
        out.writeUTF(jobId);
        out.writeInt(subtask);
        out.writeInt(attempt);
        out.writeLong(generation);
        out.writeBoolean(restored != null);
        if (restored != null) {
            out.writeUTF(restored.jobId());
            out.writeLong(restored.id());
        }
    }

    public static LogWriter readFrom(DataInputView in) throws IOException {
        String jobId = in.readUTF();
        int subtask = in.readInt();
        int attempt = in.readInt();
        long generation = in.readLong();
        RestoredCheckpoint restored =
                in.readBoolean() ? new RestoredCheckpoint(in.readUTF(), in.readLong()) : null;
        return new LogWriter(jobId, subtask, attempt, generation, restored);
    }

    @Override
    public String toString() {
        return String.format("job %s, subtask %d, attempt %d", jobId, subtask, attempt);
    }
}
