package pyflink.durable.state;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.CallSerializer;
import pyflink.durable.journal.Journal;
import pyflink.durable.journal.JournalChanges;

/**
 * What is in flight, in Flink's keyed state: the inputs of a key by their sequence number, the
 * journal of its running invocation by slot, and its next number ({@link Sequences}).
 *
 * <p>It is keyed, so it follows its keys when the job is rescaled. The inputs are a map and not a
 * list, so that the end of an invocation takes one entry away instead of writing all others again.
 */
public final class InFlightState<K, IN> implements JournalChanges {

    static final String INPUTS = "durable-inputs";
    static final String JOURNAL = "durable-journal";

    private final KeyedStateBackend<K> backend;
    private final StoredInputs<IN> inputs;
    private final MapState<Integer, Call> journal;
    private final Sequences sequences;
    @Nullable private final String handlerVersion;

    /**
     * @param handlerVersion by which new inputs are handled; null if the job names none
     */
    public InFlightState(
            KeyedStateBackend<K> backend,
            RuntimeContext context,
            InputForm<IN> inputForm,
            Retention retention,
            @Nullable String handlerVersion) {
        this.backend = backend;
        this.inputs = new StoredInputs<>(context, INPUTS, inputForm);
        this.journal =
                context.getMapState(
                        new MapStateDescriptor<>(
                                JOURNAL, IntSerializer.INSTANCE, CallSerializer.INSTANCE));
        this.sequences = new Sequences(context, retention);
        this.handlerVersion = handlerVersion;
    }

    /** A new input, as the current version of the handler takes it. */
    public Input<IN> accept(long number, @Nullable Long timestamp, IN value) {
        return new Input<>(number, timestamp, timestamp, handlerVersion, value);
    }

    public void selectKey(K key) {
        backend.setCurrentKey(key);
    }

    public void putInput(Input<IN> input) throws Exception {
        inputs.put(input);
    }

    public void dropInput(long inputSequence) throws Exception {
        inputs.remove(inputSequence);
    }

    public void dropSlots(int count) throws Exception {
        for (int slot = 0; slot < count; slot++) {
            journal.remove(slot);
        }
    }

    @Override
    public void put(int slot, Call call) throws Exception {
        journal.put(slot, call);
    }

    @Override
    public void remove(int slot) throws Exception {
        journal.remove(slot);
    }

    public void putNextSequence(long next) throws Exception {
        sequences.putNext(next);
    }

    public long nextSequence() throws Exception {
        return sequences.next();
    }

    /** All keys with something in flight. Walks the state: for a restore only. */
    public List<K> keysInFlight() throws Exception {
        sequences.takeOver(backend);
        List<K> keys = new ArrayList<>();
        try (Stream<K> stream = backend.getKeys(INPUTS, VoidNamespace.INSTANCE)) {
            stream.forEach(keys::add);
        }
        return keys;
    }

    /** Walks over all inputs: for an upgrade of the handler only. Selects other keys. */
    void forEachInput(Consumer<Input<IN>> receiver) throws Exception {
        inputs.forEach(backend, receiver);
    }

    /** The inputs of the selected key, by sequence number. */
    public TreeMap<Long, Input<IN>> restoreInputs() throws Exception {
        TreeMap<Long, Input<IN>> restored = new TreeMap<>();
        for (Input<IN> input : inputs.all().values()) {
            Input<IN> numbered =
                    sequences.replaces(input.sequence())
                            ? renumber(input, nextSequence(restored))
                            : input;
            restored.put(numbered.sequence(), numbered);
        }
        return restored;
    }

    /** The next number of the selected key behind inputs that are in flight. */
    public long nextSequence(TreeMap<Long, Input<IN>> inFlight) throws Exception {
        long next = sequences.next();
        return inFlight.isEmpty() ? next : Math.max(next, inFlight.lastKey() + 1);
    }

    private Input<IN> renumber(Input<IN> input, long number) throws Exception {
        Input<IN> numbered = input.numbered(number);
        dropInput(input.sequence());
        putInput(numbered);
        putNextSequence(number + 1);
        return numbered;
    }

    /** The journal of the selected key's first input. */
    public Journal restoreJournal() throws Exception {
        TreeMap<Integer, Call> restored = new TreeMap<>();
        for (Map.Entry<Integer, Call> entry : journal.entries()) {
            restored.put(entry.getKey(), entry.getValue());
        }
        return Journal.restore(restored);
    }
}
