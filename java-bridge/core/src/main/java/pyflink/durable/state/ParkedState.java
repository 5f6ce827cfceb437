package pyflink.durable.state;

import java.util.TreeMap;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.runtime.state.KeyedStateBackend;

/**
 * What is parked, in Flink's keyed state: the inputs of a key whose first one has started and
 * waits, and when each such key is to go on. The journal is where it is in flight, too.
 *
 * <p>The inputs are apart from those of {@link InFlightState}: a restore walks these, and reads
 * nothing of a million that are parked.
 */
public final class ParkedState<K, IN> {

    static final String INPUTS = "durable-parked";
    static final String HEAD = "durable-parked-head";
    static final String WAKES = "durable-parked-wakes";
    static final String SINCE = "durable-parked-since";

    /** A key has one entry in each queue. */
    private static final long THE_HEAD = 0;

    private final KeyedStateBackend<K> backend;
    private final StoredInputs<IN> inputs;
    private final ValueState<ParkedHead> head;
    private final Deadlines<K> wakes;
    private final Deadlines<K> parkedSince;
    private volatile int count;
    private volatile long oldest;

    public ParkedState(
            KeyedStateBackend<K> backend, RuntimeContext context, InputForm<IN> inputForm) {
        this.backend = backend;
        this.inputs = new StoredInputs<>(context, INPUTS, inputForm);
        this.head =
                context.getState(new ValueStateDescriptor<>(HEAD, ParkedHead.Serializer.INSTANCE));
        this.wakes = new Deadlines<>(backend, WAKES);
        this.parkedSince = new Deadlines<>(backend, SINCE);
        this.count = wakes.isEmpty() ? 0 : wakes.size();
        this.oldest = parkedSince.earliest();
    }

    /** How many keys are parked; any thread. */
    public int count() {
        return count;
    }

    /** Since when the one is parked that is so for longest; {@link Long#MAX_VALUE} if none is. */
    public long oldestSince() {
        return oldest;
    }

    /** That of the selected key; null if it is not parked. */
    @Nullable
    public ParkedHead head() throws Exception {
        return head.value();
    }

    /** The selected key is parked. */
    public void park(ParkedHead newHead) throws Exception {
        wakes.add(newHead.wakesAt(), THE_HEAD);
        parkedSince.add(newHead.since(), THE_HEAD);
        head.update(newHead);
        count++;
        oldest = parkedSince.earliest();
    }

    /** The selected key goes on at another time. */
    public void wakeAt(ParkedHead old, long time) throws Exception {
        if (old.wakesAt() != time) {
            wakes.remove(old.wakesAt(), THE_HEAD);
            wakes.add(time, THE_HEAD);
            head.update(old.wakingAt(time));
        }
    }

    /** Puts an input behind those of the selected key. */
    public void add(ParkedHead old, Input<IN> input) throws Exception {
        putInput(input);
        head.update(old.withAnotherInput());
    }

    public void putInput(Input<IN> input) throws Exception {
        inputs.put(input);
    }

    /** Walks over all inputs: for an upgrade of the handler only. Selects other keys. */
    void forEachInput(Consumer<Input<IN>> receiver) throws Exception {
        inputs.forEach(backend, receiver);
    }

    /** The number of the first input of the selected key; null if it has none. */
    @Nullable
    public Long firstSequence() throws Exception {
        return inputs.firstSequence();
    }

    /** When the next key is to go on; {@link Long#MAX_VALUE} if none is by itself. */
    public long nextWake() {
        return wakes.earliest();
    }

    /** Selects the first key that is to go on by a time, and takes it from those that wait. */
    @Nullable
    public K takeDue(long now) throws Exception {
        if (wakes.takeDue(now) == null) {
            return null;
        }
        return backend.getCurrentKey();
    }

    /** Takes the inputs of the selected key, which is not parked any more. */
    public TreeMap<Long, Input<IN>> takeInputs(ParkedHead parked) throws Exception {
        TreeMap<Long, Input<IN>> taken = inputs.all();
        inputs.clear();
        head.clear();
        parkedSince.remove(parked.since(), THE_HEAD);
        count--;
        oldest = parkedSince.earliest();
        return taken;
    }
}
