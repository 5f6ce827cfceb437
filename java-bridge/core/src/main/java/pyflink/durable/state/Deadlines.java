package pyflink.durable.state;

import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.checkpoint.CheckpointType;
import org.apache.flink.runtime.state.AbstractKeyedStateBackend;
import org.apache.flink.runtime.state.KeyGroupedInternalPriorityQueue;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.api.operators.TimerHeapInternalTimer;
import org.apache.flink.streaming.api.operators.TimerSerializer;

/**
 * Times at which something of a key is due, in the state backend: in order, on its disk if it has
 * one, and redistributed with the keys.
 *
 * <p>Not Flink's timer service. That one has all that is due fire in one mail: after an outage of a
 * day a million entries, with no checkpoint between them. Here the head is looked at, and taken
 * when there is room for what it stands for.
 */
public final class Deadlines<K> {

    private final KeyedStateBackend<K> backend;
    private final KeyGroupedInternalPriorityQueue<TimerHeapInternalTimer<K, Long>> queue;

    /**
     * @param name of the state
     * @throws IllegalStateException if the backend does not keep it, see {@link #areKeptBy}
     */
    public Deadlines(KeyedStateBackend<K> backend, String name) {
        if (!areKeptBy(backend)) {
            throw new IllegalStateException(
                    "Waits are kept in the state backend, and"
                            + " state.backend.rocksdb.timer-service.factory: HEAP keeps them out of"
                            + " its checkpoints. Leave that option at its default, ROCKSDB.");
        }
        this.backend = backend;
        this.queue =
                backend.create(
                        name,
                        new TimerSerializer<>(backend.getKeySerializer(), LongSerializer.INSTANCE));
    }

    /**
     * Whether the snapshots of a backend hold such queues. RocksDB with timers on the heap leaves
     * them to Flink's timer service: what is due would be forgotten in a failure.
     */
    public static boolean areKeptBy(KeyedStateBackend<?> backend) {
        return !(backend instanceof AbstractKeyedStateBackend)
                || !((AbstractKeyedStateBackend<?>) backend)
                        .requiresLegacySynchronousTimerSnapshots(CheckpointType.CHECKPOINT);
    }

    /** Adds an entry of the selected key. */
    public void add(long time, long number) {
        queue.add(new TimerHeapInternalTimer<>(time, backend.getCurrentKey(), number));
    }

    /** Takes an entry of the selected key away. */
    public void remove(long time, long number) {
        queue.remove(new TimerHeapInternalTimer<>(time, backend.getCurrentKey(), number));
    }

    /** The earliest time; {@link Long#MAX_VALUE} if there is none. */
    public long earliest() {
        TimerHeapInternalTimer<K, Long> head = queue.peek();
        return head == null ? Long.MAX_VALUE : head.getTimestamp();
    }

    /**
     * Takes the earliest entry, if it is due, and selects its key.
     *
     * @return its number; null if none is due
     */
    @Nullable
    public Long takeDue(long now) {
        TimerHeapInternalTimer<K, Long> head = queue.peek();
        if (head == null || head.getTimestamp() > now) {
            return null;
        }
        backend.setCurrentKey(head.getKey()); // the changelog notes the removal under it
        queue.poll();
        return head.getNamespace();
    }

    /** How many there are. Walks over them. */
    public int size() {
        return queue.size();
    }

    public boolean isEmpty() {
        return queue.isEmpty();
    }
}
