package pyflink.durable.operator;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.state.KeyedStateStore;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.State;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.ValueState;

/** Counts every call to a keyed state as {@code state.method}, on its way to the backend. */
public final class StateAccesses {

    private final Map<String, Integer> counts = new TreeMap<>();
    private final Map<String, Runnable> actions = new HashMap<>();

    /** The same store, whose states are counted. */
    public KeyedStateStore watch(KeyedStateStore store) {
        return proxy(
                KeyedStateStore.class,
                (proxy, method, arguments) -> {
                    Object result = method.invoke(store, arguments);
                    if (result instanceof MapState) {
                        return watch(MapState.class, nameOf(arguments[0]), result);
                    }
                    if (result instanceof ValueState) {
                        return watch(ValueState.class, nameOf(arguments[0]), result);
                    }
                    return result;
                });
    }

    /** Does something each time before this access reaches the backend. */
    public void before(String access, Runnable action) {
        actions.put(access, action);
    }

    private <S extends State> S watch(Class<S> type, String name, Object state) {
        return proxy(
                type,
                (proxy, method, arguments) -> {
                    String access = name + "." + method.getName();
                    counts.merge(access, 1, Integer::sum);
                    actions.getOrDefault(access, () -> {}).run();
                    return method.invoke(state, arguments);
                });
    }

    private static String nameOf(Object descriptor) {
        return ((StateDescriptor<?, ?>) descriptor).getName();
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(
                Proxy.newProxyInstance(
                        type.getClassLoader(),
                        new Class<?>[] {type},
                        (proxy, method, arguments) -> {
                            try {
                                return handler.invoke(proxy, method, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        }));
    }

    /** What was counted since the last call of this method. */
    public Map<String, Integer> take() {
        Map<String, Integer> taken = new TreeMap<>(counts);
        counts.clear();
        return taken;
    }
}
