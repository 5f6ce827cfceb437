package pyflink.durable.log;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;

/**
 * Where a {@link GroupCommitLog} puts its groups of entries. Blocks; is used by one thread at a
 * time. A {@link #write} that has failed is the last one.
 */
public interface LogStorage extends Closeable {

    /** As {@link CallLog#id}. */
    String id();

    /** As {@link CallLog#recover}. */
    void recover(Consumer<LogEntry> receiver) throws IOException;

    /** Returns when all entries of the group are durable, in their order. */
    void write(long epoch, List<? extends SerializedEntry> group) throws IOException;

    /**
     * Deletes what a completed checkpoint covers. A failure is logged, and made up for at the next
     * checkpoint.
     */
    void deleteCovered(long checkpointId) throws IOException;

    /** The longest serialized entry that can be written. */
    int maxEntryBytes();
}
