package pyflink.durable.state;

import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;

/**
 * Inputs of the selected key in Flink's keyed state, by their sequence number.
 *
 * <p>They are sealed here and nowhere else, on the task thread: Flink's serializer, which could do
 * it, runs on threads of the snapshot, when the attempt and its Python may be gone.
 */
final class StoredInputs<IN> {

    private final String name;
    private final MapState<Long, Input<IN>> inputs;
    private final InputSeals<IN> seals;

    StoredInputs(RuntimeContext context, String name, InputForm<IN> form) {
        this.name = name;
        this.inputs =
                context.getMapState(
                        new MapStateDescriptor<>(name, LongSerializer.INSTANCE, form.serializer));
        this.seals = form.seals;
    }

    void put(Input<IN> input) throws Exception {
        inputs.put(input.sequence(), seals.seal(input));
    }

    void remove(long sequence) throws Exception {
        inputs.remove(sequence);
    }

    /**
     * The smallest number of the selected key's inputs, which are not read; null if it has none.
     */
    @Nullable
    Long firstSequence() throws Exception {
        Long first = null;
        for (Long sequence : inputs.keys()) {
            first = first == null ? sequence : Long.valueOf(Math.min(first, sequence));
        }
        return first;
    }

    void clear() {
        inputs.clear();
    }

    /** Walks over those of all keys, as they stand there. Selects other keys. */
    <K> void forEach(KeyedStateBackend<K> backend, Consumer<Input<IN>> receiver) throws Exception {
        try (Stream<K> keys = backend.getKeys(name, VoidNamespace.INSTANCE)) {
            for (Iterator<K> each = keys.iterator(); each.hasNext(); ) {
                backend.setCurrentKey(each.next());
                inputs.values().forEach(receiver);
            }
        }
    }

    TreeMap<Long, Input<IN>> all() throws Exception {
        TreeMap<Long, Input<IN>> found = new TreeMap<>();
        for (Map.Entry<Long, Input<IN>> entry : inputs.entries()) {
            found.put(entry.getKey(), seals.open(entry.getValue()));
        }
        return found;
    }
}
