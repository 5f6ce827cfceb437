package pyflink.durable.log;

import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.LogQueue.Append;
import pyflink.durable.log.LogQueue.Completed;
import pyflink.durable.log.LogQueue.Refused;

/**
 * A {@link CallLog} with one thread that writes: it takes all that is queued, has it written as one
 * group, then calls the callbacks. While a group is on its way the next one gathers, so the cost of
 * making a group durable is shared by as many appends as are in flight.
 */
public final class GroupCommitLog implements CallLog {

    private static final long CLOSE_PATIENCE_MILLIS = 2_000;

    private static final Logger LOG = LoggerFactory.getLogger(GroupCommitLog.class);

    private final CallLogContext context;
    private final LogStorage storage;
    private final LogQueue queue = new LogQueue();
    private final Object order = new Object();
    private final Thread writer;

    private long epoch; // guarded by order
    private boolean started; // guarded by order
    private volatile boolean closed; // written under order
    @Nullable private IOException failure; // of the writer thread

    public GroupCommitLog(CallLogContext context, LogStorage storage) {
        this.context = context;
        this.storage = storage;
        this.epoch = context.firstEpoch();
        this.writer = new Thread(this::writeGroups, "call-log " + context);
        writer.setDaemon(true);
    }

    @Override
    public String id() {
        return storage.id();
    }

    @Override
    public void recover(Consumer<LogEntry> receiver) throws IOException {
        storage.recover(receiver);
        synchronized (order) {
            started = true;
            writer.start();
        }
    }

    @Override
    public void append(LogEntry entry, AppendCallback callback) {
        byte[] bytes = null;
        IOException refusal = null;
        try {
            bytes = LogEntrySerializer.toBytes(entry);
            if (bytes.length > storage.maxEntryBytes()) {
                refusal = tooLarge(entry, bytes.length);
            }
        } catch (IOException e) {
            refusal = new IOException("The call log cannot serialize " + entry, e);
        }
        synchronized (order) {
            if (!started) {
                throw new IllegalStateException("An append before recover()");
            }
            if (!closed) {
                // Stamped and queued at once: a group has one epoch, and epochs only grow.
                if (refusal == null) {
                    queue.add(new Append(epoch, entry.keyGroup(), bytes, callback));
                } else {
                    queue.add(new Refused(callback, refusal));
                }
                return;
            }
        }
        report(callback, closedBefore());
    }

    @Override
    public void onSnapshot(long checkpointId) {
        synchronized (order) {
            epoch = checkpointId;
        }
    }

    @Override
    public void onCheckpointComplete(long checkpointId) {
        if (checkpointId > context.firstEpoch()) { // else it is an earlier attempt's
            // In line behind the appends: the storage is used by one thread.
            queue.add(new Completed(checkpointId));
        }
    }

    @Override
    public void close() {
        boolean join;
        synchronized (order) {
            if (closed) {
                return;
            }
            join = started;
            closed = true;
        }
        if (join) {
            queue.wakeWriter();
            awaitWriter();
        } else {
            closeStorage();
        }
    }

    private void closeStorage() {
        try {
            storage.close();
        } catch (IOException | RuntimeException e) {
            LOG.warn("Closing the call log of {} failed", context, e);
        }
    }

    /** Lets the writer finish its group, but not longer than a cancelled task may take. */
    private void awaitWriter() {
        boolean interrupted = false;
        for (int i = 0; i < 2; i++) {
            try {
                writer.join(CLOSE_PATIENCE_MILLIS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
            writer.interrupt();
        }
        if (writer.isAlive()) {
            LOG.warn("The call log of {} is still in a write after its close", context);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // ------------------------------------------------------------------ the writer thread

    private void writeGroups() {
        try {
            while (!closed) {
                Object next = queue.take();
                if (next instanceof Append) {
                    write(queue.groupFrom((Append) next));
                } else if (next instanceof Refused) {
                    report((Refused) next);
                } else if (next instanceof Completed) {
                    deleteCovered(((Completed) next).checkpointId);
                }
            }
        } catch (InterruptedException e) {
            LOG.debug("The call log of {} was interrupted by its close", context);
        } finally {
            failRest();
            // Not by who closes the log: a write that hangs goes on behind the close, and must not
            // do so when the storage has told others that this writer has ended.
            Thread.interrupted(); // it was to end the write
            closeStorage();
        }
    }

    private void write(List<Append> group) {
        IOException error = failure;
        if (error == null) {
            try {
                storage.write(group.get(0).epoch, group);
            } catch (Throwable t) {
                error = closed ? closedBefore() : failed(t);
            }
        }
        for (Append append : group) {
            report(append.callback, error);
        }
    }

    private IOException failed(Throwable cause) {
        LOG.error("The call log of {} has failed and takes no more entries", context, cause);
        failure =
                new IOException(
                        "The call log takes no more entries since an earlier append failed: "
                                + cause.getMessage(),
                        cause);
        return cause instanceof IOException
                ? (IOException) cause
                : new IOException("The call log failed: " + cause, cause);
    }

    private void deleteCovered(long checkpointId) {
        if (failure != null) {
            return;
        }
        try {
            storage.deleteCovered(checkpointId);
        } catch (IOException | RuntimeException e) {
            LOG.warn(
                    "The call log of {} could not delete what checkpoint {} covers; it will try"
                            + " again after the next one",
                    context,
                    checkpointId,
                    e);
        }
    }

    private void failRest() {
        for (Object next = queue.poll(); next != null; next = queue.poll()) {
            if (next instanceof Append) {
                report(((Append) next).callback, failure == null ? closedBefore() : failure);
            } else if (next instanceof Refused) {
                report((Refused) next);
            }
        }
    }

    private static void report(Refused refused) {
        report(refused.callback, refused.refusal);
    }

    private static void report(AppendCallback callback, @Nullable IOException error) {
        try {
            callback.onAppended(error);
        } catch (RuntimeException e) {
            LOG.error("The callback of an append failed", e);
        }
    }

    private static IOException closedBefore() {
        return new IOException("The call log was closed before the entry was durable");
    }

    private IOException tooLarge(LogEntry entry, int length) {
        return new IOException(
                String.format(
                        "The call log cannot take %s: the entry has %d bytes, the log's limit is"
                                + " %d. Return less from the call, for example a reference.",
                        entry, length, storage.maxEntryBytes()));
    }
}
