package pyflink.durable.state;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.ListSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.util.function.ThrowingConsumer;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;

/**
 * Entries of the call log whose inputs have not come back, in Flink's keyed state: by key and
 * invocation. Each entry is written as in the log, with its version.
 */
public final class UnclaimedState<K> {

    static final String NAME = "durable-unclaimed";

    private final KeyedStateBackend<K> backend;
    private final MapState<String, List<byte[]>> entries;

    public UnclaimedState(KeyedStateBackend<K> backend, RuntimeContext context) {
        this.backend = backend;
        this.entries =
                context.getMapState(
                        new MapStateDescriptor<>(
                                NAME,
                                StringSerializer.INSTANCE,
                                new ListSerializer<>(BytePrimitiveArraySerializer.INSTANCE)));
    }

    void put(RecoveredJournal journal) throws Exception {
        List<byte[]> written = new ArrayList<>();
        for (LogEntry entry : journal.entries()) {
            written.add(LogEntrySerializer.toBytes(entry));
        }
        select(journal.owner());
        entries.put(journal.owner().invocationId(), written);
    }

    void remove(Owner owner) throws Exception {
        select(owner);
        entries.remove(owner.invocationId());
    }

    private void select(Owner owner) throws IOException {
        backend.setCurrentKey(
                backend.getKeySerializer().deserialize(new DataInputDeserializer(owner.key())));
    }

    /** Walks the state: for a restore only. The entries of an invocation come in their order. */
    void forEach(ThrowingConsumer<LogEntry, Exception> receiver) throws Exception {
        for (K key : keys()) {
            backend.setCurrentKey(key);
            for (Map.Entry<String, List<byte[]>> invocation : entries.entries()) {
                for (byte[] entry : invocation.getValue()) {
                    receiver.accept(LogEntrySerializer.fromBytes(entry));
                }
            }
        }
    }

    /** Drops everything. */
    public void clear() {
        for (K key : keys()) {
            backend.setCurrentKey(key);
            entries.clear();
        }
    }

    private List<K> keys() {
        List<K> keys = new ArrayList<>();
        try (Stream<K> stream = backend.getKeys(NAME, VoidNamespace.INSTANCE)) {
            stream.forEach(keys::add);
        }
        return keys;
    }
}
