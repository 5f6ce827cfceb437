package pyflink.durable.engine;

import javax.annotation.Nullable;
import pyflink.durable.state.ParkedHead;

/**
 * Where inputs go: to the lane of their key, behind what is parked, or to nobody. Works on the task
 * thread only.
 *
 * <p>Of a key no more inputs wait than the job says; what is beyond is the host's to refuse. To
 * hold the input back instead would hold the signal back, too, that the first one waits for, and
 * all other keys.
 */
final class Arrivals<K, IN> {

    private final EngineParts.Base<K, IN> base;
    private final InvocationScheduler<K, IN> scheduler;
    private final HandlerSteps<K, IN> steps;
    @Nullable private final ParkedKeys<K, IN> parked;

    Arrivals(
            EngineParts.Base<K, IN> base,
            InvocationScheduler<K, IN> scheduler,
            HandlerSteps<K, IN> steps,
            @Nullable ParkedKeys<K, IN> parked) {
        this.base = base;
        this.scheduler = scheduler;
        this.steps = steps;
        this.parked = parked;
    }

    /** Takes an input of the selected key in; tells whether it is in memory. */
    boolean accept(K key, @Nullable Long timestamp, IN value) throws Exception {
        ParkedHead head = headOf(key);
        if (isFull(key, head)) {
            refuse(key, timestamp, value);
            return false;
        }
        if (head != null) {
            parked.accept(head, timestamp, value);
            return false;
        }
        scheduler.accept(key, timestamp, value);
        steps.accepted();
        return true;
    }

    @Nullable
    private ParkedHead headOf(K key) throws Exception {
        return parked == null ? null : parked.head(key);
    }

    private boolean isFull(K key, @Nullable ParkedHead head) {
        int most = base.limits.maxWaitingPerKey;
        if (most == 0) {
            return false;
        }
        KeyLane<K, IN> lane = scheduler.lane(key);
        int waiting = head != null ? head.waiting() : lane == null ? 0 : lane.size() - 1;
        return waiting >= most;
    }

    private void refuse(K key, @Nullable Long timestamp, IN value) {
        base.counters.add("refused", 1);
        Object[] outputs = base.host.refuse(key, value, base.limits.maxWaitingPerKey);
        base.task.emit(timestamp, outputs, 0, outputs.length);
    }
}
