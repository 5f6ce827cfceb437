package pyflink.durable.engine;

import java.util.List;
import javax.annotation.Nullable;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.Input;
import pyflink.durable.state.ParkedHead;
import pyflink.durable.state.ParkedState;

/**
 * What comes for keys whose invocation is parked: inputs, which wait behind it in the state, and
 * signals, which may have it go on. Works on the task thread only.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>A parked key has no lane. An input of it goes to the state behind the others; put into a
 *       lane of its own it would overtake them.
 *   <li>A signal has it go on only if it waits for one of that name. A reminder that comes every
 *       minute would otherwise be a replay every minute of all that waits for something else.
 *   <li>What the call log knows beyond the restored checkpoint goes on at once: see {@link
 *       WriteAhead#knownKeys}.
 * </ul>
 */
final class ParkedKeys<K, IN> {

    private final FlinkTask task;
    private final InvocationScheduler<K, IN> scheduler;
    private final InFlightState<K, IN> inFlight;
    private final ParkedState<K, IN> state;
    private final ParkedWatermarks<K, IN> watermarks;

    ParkedKeys(
            FlinkTask task,
            InvocationScheduler<K, IN> scheduler,
            InFlightState<K, IN> inFlight,
            ParkedState<K, IN> state,
            ParkedWatermarks<K, IN> watermarks) {
        this.task = task;
        this.scheduler = scheduler;
        this.inFlight = inFlight;
        this.state = state;
        this.watermarks = watermarks;
    }

    /** That of the selected key; null if it is not parked. */
    @Nullable
    ParkedHead head(K key) throws Exception {
        return state.count() == 0 || scheduler.lane(key) != null ? null : state.head();
    }

    /** The number of the first input of the selected key; null if it has none. */
    @Nullable
    Long firstSequence() throws Exception {
        return state.firstSequence();
    }

    /** Takes an input of the selected key in. */
    void accept(ParkedHead head, @Nullable Long timestamp, IN value) throws Exception {
        Input<IN> input = inFlight.accept(head.nextSequence(), timestamp, value);
        state.add(head, input);
        watermarks.park(input);
        inFlight.putNextSequence(head.nextSequence() + 1);
    }

    /** A signal of the selected key has come; tells whether it may answer what is parked. */
    boolean signalled(K key, String name) throws Exception {
        ParkedHead head = head(key);
        if (head == null || !(head.waitsFor(name) || name.equals(Signals.CANCEL))) {
            return false;
        }
        state.wakeAt(head, Math.min(head.wakesAt(), now()));
        return true;
    }

    /** Has keys go on, those that are parked. Selects them. */
    void wake(List<K> keys) throws Exception {
        for (K key : keys) {
            inFlight.selectKey(key);
            ParkedHead head = head(key);
            if (head != null) {
                state.wakeAt(head, Math.min(head.wakesAt(), now()));
            }
        }
    }

    private long now() {
        return task.getProcessingTimeService().getCurrentProcessingTime();
    }
}
