package pyflink.durable.reader;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.common.typeutils.base.ListSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.MapSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.types.Row;
import org.apache.flink.util.function.BiConsumerWithException;
import org.apache.flink.util.function.ThrowingConsumer;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.CallSerializer;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.state.Input;

/** The states of a durable operator in a backend that has restored them. */
final class StoredStates {

    private static final String PARKED = "durable-parked";
    private static final String JOURNAL = "durable-journal";
    private static final String UNCLAIMED = "durable-unclaimed";
    private static final String USER_STATE = "durable-user-state";
    private static final String EXPIRING_USER_STATE = USER_STATE + "-ttl";

    private final KeyedStateBackend<Object> backend;
    private final MapState<Long, Input<Object>> inputs;
    @Nullable private final MapState<Long, Input<Object>> parked;
    private final MapState<Integer, Call> journal;
    @Nullable private final MapState<String, List<byte[]>> unclaimed;
    private final List<String> userStateNames = new ArrayList<>();
    private final List<MapState<String, byte[]>> userStates = new ArrayList<>();

    StoredStates(KeyedStateBackend<Object> backend, KeyedMetadata metadata) throws Exception {
        this.backend = backend;
        inputs = inputs(DurableOperator.INPUTS, metadata);
        parked = metadata.has(PARKED) ? inputs(PARKED, metadata) : null;
        journal = map(JOURNAL, IntSerializer.INSTANCE, CallSerializer.INSTANCE);
        unclaimed =
                metadata.has(UNCLAIMED)
                        ? map(
                                UNCLAIMED,
                                StringSerializer.INSTANCE,
                                new ListSerializer<>(BytePrimitiveArraySerializer.INSTANCE))
                        : null;
        for (String name : List.of(USER_STATE, EXPIRING_USER_STATE)) {
            if (metadata.has(name)) {
                userStateNames.add(name);
                userStates.add(state(userState(name)));
            }
        }
    }

    @SuppressWarnings("unchecked")
    private MapState<Long, Input<Object>> inputs(String name, KeyedMetadata metadata)
            throws Exception {
        MapSerializer<Long, Input<Object>> serializer =
                (MapSerializer<Long, Input<Object>>) metadata.valueSerializer(name);
        return map(name, LongSerializer.INSTANCE, serializer.getValueSerializer());
    }

    private static MapStateDescriptor<String, byte[]> userState(String name) {
        MapStateDescriptor<String, byte[]> descriptor =
                new MapStateDescriptor<>(
                        name, StringSerializer.INSTANCE, BytePrimitiveArraySerializer.INSTANCE);
        if (name.equals(EXPIRING_USER_STATE)) { // all that is still there
            descriptor.enableTimeToLive(
                    StateTtlConfig.newBuilder(Duration.ofMillis(Long.MAX_VALUE)).build());
        }
        return descriptor;
    }

    private <K, V> MapState<K, V> map(String name, TypeSerializer<K> key, TypeSerializer<V> value)
            throws Exception {
        return state(new MapStateDescriptor<>(name, key, value));
    }

    private <K, V> MapState<K, V> state(MapStateDescriptor<K, V> descriptor) throws Exception {
        return backend.getPartitionedState(
                VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, descriptor);
    }

    /** Those that are parked come behind the others. */
    void forEachKeyInFlight(ThrowingConsumer<Object, Exception> receiver) throws Exception {
        forEachKey(DurableOperator.INPUTS, receiver);
        if (parked != null) {
            forEachKey(PARKED, receiver);
        }
    }

    /** Keys that have nothing in flight are among these. */
    void forEachKeyWithState(ThrowingConsumer<Object, Exception> receiver) throws Exception {
        for (String name : userStateNames) {
            forEachKey(name, receiver);
        }
    }

    void forEachUnclaimed(BiConsumerWithException<Object, LogEntry, Exception> receiver)
            throws Exception {
        if (unclaimed == null) {
            return;
        }
        forEachKey(
                UNCLAIMED,
                key -> {
                    for (List<byte[]> entries : unclaimed.values()) {
                        for (byte[] entry : entries) {
                            receiver.accept(key, LogEntrySerializer.fromBytes(entry));
                        }
                    }
                });
    }

    private void forEachKey(String state, ThrowingConsumer<Object, Exception> receiver)
            throws Exception {
        try (Stream<Object> keys = backend.getKeys(state, VoidNamespace.INSTANCE)) {
            for (Iterator<Object> each = keys.iterator(); each.hasNext(); ) {
                Object key = each.next();
                backend.setCurrentKey(key);
                receiver.accept(key);
            }
        }
    }

    // ------------------------------------------------------------------ of the selected key

    List<StoredKey.StoredInput> inputs(Pickles pickles) throws Exception {
        TreeMap<Long, StoredKey.StoredInput> found = new TreeMap<>();
        // a key is parked with all its inputs, or has none there
        List<MapState<Long, Input<Object>>> places = new ArrayList<>(List.of(inputs));
        if (parked != null) {
            places.add(parked);
        }
        for (MapState<Long, Input<Object>> place : places) {
            for (Input<Object> input : place.values()) {
                found.put(
                        input.sequence(),
                        new StoredKey.StoredInput(input, payloadOf(input, pickles)));
            }
        }
        return new ArrayList<>(found.values());
    }

    /** A sealed one as it stands there. */
    @Nullable
    private static byte[] payloadOf(Input<Object> input, Pickles pickles) {
        return input.sealed() != null ? input.sealed() : pickles.of(valueOf(input.value()));
    }

    boolean isParked() throws Exception {
        return parked != null && !parked.isEmpty();
    }

    /** PyFlink sends keyed streams as rows of key and value. */
    private static Object valueOf(Object input) {
        boolean wrapped = input instanceof Row && ((Row) input).getArity() == 2;
        return wrapped ? ((Row) input).getField(1) : input;
    }

    Map<Integer, Call> journal() throws Exception {
        Map<Integer, Call> slots = new TreeMap<>();
        for (Map.Entry<Integer, Call> slot : journal.entries()) {
            slots.put(slot.getKey(), slot.getValue());
        }
        return slots;
    }

    Map<String, byte[]> userState() throws Exception {
        Map<String, byte[]> values = new TreeMap<>();
        for (MapState<String, byte[]> state : userStates) {
            for (Map.Entry<String, byte[]> value : state.entries()) {
                values.put(value.getKey(), value.getValue());
            }
        }
        return values;
    }
}
