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

    /** A key has one entry. */
    private static final long THE_HEAD = 0;

    private final KeyedStateBackend<K> backend;
    private final StoredInputs<IN> inputs;
    private final ValueState<ParkedHead> head;
    private final Deadlines<K> wakes;

    public ParkedState(
            KeyedStateBackend<K> backend, RuntimeContext context, InputForm<IN> inputForm) {
        this.backend = backend;
        this.inputs = new StoredInputs<>(context, INPUTS, inputForm);
        this.head =
                context.getState(new ValueStateDescriptor<>(HEAD, ParkedHead.Serializer.INSTANCE));
        this.wakes = new Deadlines<>(backend, WAKES);
    }

    /** Whether nothing is parked, of all keys. */
    public boolean isEmpty() {
        return wakes.isEmpty();
    }

    /** How many keys are parked. Walks over them. */
    public int size() {
        return wakes.size();
    }

    /** That of the selected key; null if it is not parked. */
    @Nullable
    public ParkedHead head() throws Exception {
        return head.value();
    }

    /** Notes when the selected key is to go on; whatever was noted before is void. */
    public void putHead(ParkedHead newHead) throws Exception {
        ParkedHead old = head.value();
        if (old != null && old.wakesAt() != newHead.wakesAt()) {
            wakes.remove(old.wakesAt(), THE_HEAD);
        }
        if (old == null || old.wakesAt() != newHead.wakesAt()) {
            wakes.add(newHead.wakesAt(), THE_HEAD);
        }
        head.update(newHead);
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
    public TreeMap<Long, Input<IN>> takeInputs() throws Exception {
        TreeMap<Long, Input<IN>> taken = inputs.all();
        inputs.clear();
        head.clear();
        return taken;
    }
}
