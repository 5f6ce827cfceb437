package pyflink.durable.log;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;

/** What waits in line for the writer of a {@link GroupCommitLog}. */
final class LogQueue {

    /** Bounds what waits for one write; more only makes the first entry wait for the last. */
    private static final int MAX_GROUP_BYTES = 8 << 20;

    static final class Append extends SerializedEntry {
        final long epoch;
        final AppendCallback callback;

        Append(long epoch, int keyGroup, byte[] bytes, AppendCallback callback) {
            super(keyGroup, bytes);
            this.epoch = epoch;
            this.callback = callback;
        }
    }

    /**
     * An entry that no log could take: its append fails in its turn, and later ones may succeed.
     */
    static final class Refused {
        final AppendCallback callback;
        final IOException refusal;

        Refused(AppendCallback callback, IOException refusal) {
            this.callback = callback;
            this.refusal = refusal;
        }
    }

    /** A checkpoint has completed. */
    static final class Completed {
        final long checkpointId;

        Completed(long checkpointId) {
            this.checkpointId = checkpointId;
        }
    }

    /** Has the writer look whether the log was closed. */
    private enum Wake {
        UP
    }

    private final LinkedBlockingQueue<Object> queue = new LinkedBlockingQueue<>();

    void add(Append append) {
        queue.add(append);
    }

    void add(Refused refused) {
        queue.add(refused);
    }

    void add(Completed completed) {
        queue.add(completed);
    }

    void wakeWriter() {
        queue.add(Wake.UP);
    }

    /** Waits for what is next. */
    Object take() throws InterruptedException {
        return queue.take();
    }

    /** The next, if there is one; else null. */
    Object poll() {
        return queue.poll();
    }

    /** Takes the appends that can be written together with one that was taken. */
    List<Append> groupFrom(Append first) {
        List<Append> group = new ArrayList<>();
        Object next = first;
        long bytes = 0;
        do {
            Append append = (Append) next;
            if (next != first) {
                queue.remove();
            }
            group.add(append);
            bytes += append.bytes().length;
            next = queue.peek();
        } while (next instanceof Append
                && ((Append) next).epoch == first.epoch
                && bytes + ((Append) next).bytes().length <= MAX_GROUP_BYTES);
        return group;
    }
}
