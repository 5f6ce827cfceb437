package pyflink.durable.reader;

import java.io.IOException;
import java.io.InputStream;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputViewStreamWrapper;
import org.apache.flink.runtime.state.IncrementalRemoteKeyedStateHandle;
import org.apache.flink.runtime.state.KeyGroupsStateHandle;
import org.apache.flink.runtime.state.KeyedBackendSerializationProxy;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.StreamStateHandle;
import org.apache.flink.runtime.state.changelog.ChangelogStateBackendHandle;
import org.apache.flink.runtime.state.metainfo.StateMetaInfoSnapshot;
import org.apache.flink.runtime.state.metainfo.StateMetaInfoSnapshot.CommonSerializerKeys;

/**
 * What stands at the head of a keyed state: its serializers. The job that wrote it is not here, so
 * the types of its keys and values are had from there alone.
 */
final class KeyedMetadata {

    private final TypeSerializer<Object> keySerializer;
    private final Map<String, StateMetaInfoSnapshot> states = new HashMap<>();

    private KeyedMetadata(KeyedBackendSerializationProxy<Object> head) {
        keySerializer = head.getKeySerializerSnapshot().restoreSerializer();
        for (StateMetaInfoSnapshot state : head.getStateMetaInfoSnapshots()) {
            states.put(state.getName(), state);
        }
    }

    /** Of the first handle that tells; empty if none does. */
    static Optional<KeyedMetadata> of(Collection<? extends KeyedStateHandle> handles)
            throws IOException {
        for (KeyedStateHandle handle : handles) {
            Optional<KeyedMetadata> found = of(handle);
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    private static Optional<KeyedMetadata> of(KeyedStateHandle handle) throws IOException {
        if (handle instanceof KeyGroupsStateHandle) {
            return Optional.of(read((KeyGroupsStateHandle) handle));
        }
        if (handle instanceof IncrementalRemoteKeyedStateHandle) {
            return Optional.of(
                    read(((IncrementalRemoteKeyedStateHandle) handle).getMetaDataStateHandle()));
        }
        if (handle instanceof ChangelogStateBackendHandle) {
            List<KeyedStateHandle> materialized =
                    ((ChangelogStateBackendHandle) handle).getMaterializedStateHandles();
            return of(materialized);
        }
        throw new IOException("Keyed state of the kind " + handle.getClass() + " is not known");
    }

    private static KeyedMetadata read(StreamStateHandle handle) throws IOException {
        KeyedBackendSerializationProxy<Object> head =
                new KeyedBackendSerializationProxy<>(KeyedMetadata.class.getClassLoader());
        try (InputStream in = handle.openInputStream()) {
            head.read(new DataInputViewStreamWrapper(in));
        }
        return new KeyedMetadata(head);
    }

    TypeSerializer<Object> keySerializer() {
        return keySerializer;
    }

    boolean has(String state) {
        return states.containsKey(state);
    }

    /** The serializer of the values of a state, as it was when they were written. */
    TypeSerializer<?> valueSerializer(String state) {
        return states.get(state)
                .getTypeSerializerSnapshot(CommonSerializerKeys.VALUE_SERIALIZER)
                .restoreSerializer();
    }
}
