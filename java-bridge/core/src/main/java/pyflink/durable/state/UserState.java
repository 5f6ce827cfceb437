package pyflink.durable.state;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;

/**
 * {@code ctx.state}: pickled values by name, for the key that is selected in the state backend.
 *
 * <p>A value that is read lives on, where values have a time to live. Handlers read it in their
 * first run; if it went while they wait, their replay would take another path.
 */
public final class UserState {

    static final String NAME = "durable-user-state";

    private final KeptState<MapState<String, byte[]>> kept;
    private final MapState<String, byte[]> values;

    public UserState(RuntimeContext context, Retention retention) {
        this.kept =
                KeptState.register(
                        NAME,
                        retention.stateTtl,
                        true,
                        UserState::describe,
                        context::getMapState,
                        UserState::move);
        this.values = kept.values();
    }

    private static MapStateDescriptor<String, byte[]> describe(String name) {
        return new MapStateDescriptor<>(
                name, StringSerializer.INSTANCE, BytePrimitiveArraySerializer.INSTANCE);
    }

    private static void move(MapState<String, byte[]> from, MapState<String, byte[]> to)
            throws Exception {
        for (Map.Entry<String, byte[]> entry : from.entries()) {
            to.put(entry.getKey(), entry.getValue());
        }
        from.clear();
    }

    public void takeOver(KeyedStateBackend<?> backend) throws Exception {
        kept.takeOver(backend);
    }

    @Nullable
    public byte[] get(String name) throws Exception {
        return values.get(name);
    }

    public Object[] names() throws Exception {
        List<String> names = new ArrayList<>();
        values.keys().forEach(names::add);
        names.sort(null);
        return names.toArray();
    }

    public void put(String name, @Nullable byte[] value) throws Exception {
        if (value == null) {
            values.remove(name);
        } else {
            values.put(name, value);
        }
    }
}
