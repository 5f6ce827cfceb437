package pyflink.durable.state;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.BooleanSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;

/**
 * The signals of the selected key that nobody has taken yet, in the order in which they came.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>Signals have numbers of their own, from 0 on for each key. A sender that repeats itself
 *       after a failure repeats the order, and with it the number: one that the call log knows as
 *       taken is recognized without an id.
 *   <li>The id of a signal is kept for as long as the signal would be, also when it is taken. A
 *       webhook that is called twice would answer two waits.
 *   <li>The next number is kept for twice that time. Were it forgotten first, a new signal would
 *       take the place of an old one.
 * </ul>
 */
public final class SignalState<K> {

    static final String SIGNALS = "durable-signals";
    static final String SEEN = "durable-signals-seen";
    static final String NEXT = "durable-signals-next";
    static final String EXPIRY = "durable-signals-expiry";

    private final MapState<Long, Signal> signals;
    private final MapState<String, Boolean> seen;
    private final ValueState<Long> next;
    private final Deadlines<K> expiry;

    /**
     * @param timeToLive for how many milliseconds a signal is kept
     */
    public SignalState(KeyedStateBackend<K> backend, RuntimeContext context, long timeToLive) {
        signals =
                context.getMapState(
                        new MapStateDescriptor<>(
                                SIGNALS, LongSerializer.INSTANCE, SignalSerializer.INSTANCE));
        seen =
                context.getMapState(
                        expiring(
                                new MapStateDescriptor<>(
                                        SEEN,
                                        StringSerializer.INSTANCE,
                                        BooleanSerializer.INSTANCE),
                                timeToLive));
        next =
                context.getState(
                        expiring(
                                new ValueStateDescriptor<>(NEXT, LongSerializer.INSTANCE),
                                2 * timeToLive));
        expiry = new Deadlines<>(backend, EXPIRY);
    }

    private static <D extends StateDescriptor<?, ?>> D expiring(D descriptor, long millis) {
        descriptor.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMillis(millis)).build());
        return descriptor;
    }

    /** Gives the number of a signal that has come. */
    public long takeNumber() throws Exception {
        Long number = next.value();
        long taken = number == null ? 0 : number;
        next.update(taken + 1);
        return taken;
    }

    public void put(Signal signal) throws Exception {
        signals.put(signal.number(), signal);
        expiry.add(signal.expires(), signal.number());
    }

    public void remove(Signal signal) throws Exception {
        signals.remove(signal.number());
        expiry.remove(signal.expires(), signal.number());
    }

    @Nullable
    public Signal get(long number) throws Exception {
        return signals.get(number);
    }

    /** Those of a name that an invocation may take, in order. */
    public List<Signal> of(String name, String invocation) throws Exception {
        TreeMap<Long, Signal> found = new TreeMap<>();
        for (Signal signal : signals.values()) {
            if (signal.isFor(name, invocation)) {
                found.put(signal.number(), signal);
            }
        }
        return new ArrayList<>(found.values());
    }

    /**
     * Notes the id, or the number, of a signal.
     *
     * @return whether it was noted before
     */
    public boolean note(String mark) throws Exception {
        if (seen.contains(mark)) {
            return true;
        }
        seen.put(mark, true);
        return false;
    }

    public boolean isNoted(String mark) throws Exception {
        return seen.contains(mark);
    }

    /** When the next signal expires; {@link Long#MAX_VALUE} if none does. */
    public long nextExpiry() {
        return expiry.earliest();
    }

    /** Takes a signal away that has expired by a time, and selects its key; null if none has. */
    @Nullable
    public Signal takeExpired(long now) throws Exception {
        Long number = expiry.takeDue(now);
        if (number == null) {
            return null;
        }
        Signal signal = signals.get(number);
        signals.remove(number);
        return signal;
    }
}
