package pyflink.durable.log;

import java.io.IOException;
import java.util.function.Consumer;

/**
 * A log of calls beside Flink's checkpoints: what was appended is durable long before the next
 * checkpoint completes. One instance serves one attempt of one subtask.
 *
 * <p>An entry is the <em>state</em> of a slot, not a change of it. Merging entries is therefore
 * "the last one of a slot wins", and reading one twice does no harm.
 *
 * <p>Each entry belongs to an <b>epoch</b>: the id of the last snapshot that this subtask took
 * before the append (at first the checkpoint it was restored from, or 0). Whoever appends writes
 * the journal first. So a checkpoint C holds every entry of an epoch below C: a restore from C
 * skips them, and when C completes they may be deleted.
 *
 * <p>What an implementation owes:
 *
 * <ul>
 *   <li>Nothing is dropped in silence. Every callback is called once, with success only when the
 *       entry would survive the loss of this process.
 *   <li>After a failed append all later ones fail too. A log that went on would have a hole, and a
 *       restore would read the later state of an invocation without the earlier.
 *   <li>An attempt that is dead, or taken for dead, does not keep the next one from starting.
 *   <li>A log has one writer for each key group. When an attempt has been succeeded and goes on (a
 *       zombie), an append of it either is in what its successor reads, or it fails and nobody ever
 *       reads it.
 * </ul>
 */
public interface CallLog extends AutoCloseable {

    /**
     * Names this log for good: one that was lost and made anew in the same place has another. See
     * {@link CallLogContext#requireLog}.
     */
    String id();

    /**
     * Hands over what earlier attempts left and this one needs: see {@link CallLogContext#takes}.
     * Called once, before the first append. The entries of a key come in the order of their
     * appends.
     *
     * @throws IOException if the log cannot be read in full; the attempt must not start then, since
     *     it would repeat the calls whose entries are missing
     */
    void recover(Consumer<LogEntry> receiver) throws IOException;

    /**
     * Appends an entry. Any thread; returns without waiting for I/O.
     *
     * @param callback called when the entry is durable or has failed, in the order of the appends
     */
    void append(LogEntry entry, AppendCallback callback);

    /** A snapshot is being taken: entries appended from here on belong to its epoch. */
    void onSnapshot(long checkpointId);

    /**
     * A checkpoint has completed: entries of earlier epochs may be deleted, and so may all that was
     * handed over by {@link #recover}. The checkpoint has those, too, whose inputs have not come
     * back.
     */
    void onCheckpointComplete(long checkpointId);

    /** Ends the log. Appends that are not durable by then fail. */
    @Override
    void close();
}
