package pyflink.durable.operator;

import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;

/** {@code ctx.state}: pickled values by name, for the key that is selected in the state backend. */
final class UserState {

    static final String NAME = "durable-user-state";

    private final MapState<String, byte[]> values;

    UserState(RuntimeContext context) {
        this.values =
                context.getMapState(
                        new MapStateDescriptor<>(
                                NAME,
                                StringSerializer.INSTANCE,
                                BytePrimitiveArraySerializer.INSTANCE));
    }

    @Nullable
    byte[] get(String name) throws Exception {
        return values.get(name);
    }

    Object[] names() throws Exception {
        List<String> names = new ArrayList<>();
        values.keys().forEach(names::add);
        names.sort(null);
        return names.toArray();
    }

    void put(String name, @Nullable byte[] value) throws Exception {
        if (value == null) {
            values.remove(name);
        } else {
            values.put(name, value);
        }
    }
}
