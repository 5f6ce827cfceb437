package pyflink.durable.state;

import java.time.Duration;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.flink.api.common.state.State;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A keyed state that outlives the invocations of its key, for ever or for a time.
 *
 * <p>It has another name for each of the two. Flink 1 refuses a state whose time to live was turned
 * on or off since the snapshot: values have another form then. So a job that changes its mind, also
 * one of release 0.1, finds its values by the other name when it is restored, and moves them. Their
 * time begins then.
 *
 * @param <S> the kind of state
 */
final class KeptState<S extends State> {

    /** Moves what the selected key has. */
    interface Move<S> {
        void move(S from, S to) throws Exception;
    }

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String nameForEver;
    private final boolean expires;
    private final Function<String, ? extends StateDescriptor<S, ?>> describe;
    private final Move<S> move;
    private final S values;

    private KeptState(
            String name,
            boolean expires,
            Function<String, ? extends StateDescriptor<S, ?>> describe,
            Move<S> move,
            S values) {
        this.nameForEver = name;
        this.expires = expires;
        this.describe = describe;
        this.move = move;
        this.values = values;
    }

    /**
     * Registers the state.
     *
     * @param timeToLive in milliseconds, 0 for ever
     * @param onRead whether a value that is read lives on, as one that is written does
     */
    static <S extends State, D extends StateDescriptor<S, ?>> KeptState<S> register(
            String name,
            long timeToLive,
            boolean onRead,
            Function<String, D> describe,
            Function<D, S> register,
            Move<S> move) {
        boolean expires = timeToLive > 0;
        D descriptor = describe.apply(expires ? expiring(name) : name);
        if (expires) {
            descriptor.enableTimeToLive(
                    StateTtlConfig.newBuilder(Duration.ofMillis(timeToLive))
                            .setUpdateType(
                                    onRead
                                            ? StateTtlConfig.UpdateType.OnReadAndWrite
                                            : StateTtlConfig.UpdateType.OnCreateAndWrite)
                            .build());
        }
        return new KeptState<>(name, expires, describe, move, register.apply(descriptor));
    }

    private static String expiring(String name) {
        return name + "-ttl";
    }

    S values() {
        return values;
    }

    /** Takes over what a job has left that kept it the other way. Selects other keys. */
    void takeOver(KeyedStateBackend<?> backend) throws Exception {
        String other = expires ? nameForEver : expiring(nameForEver);
        if (isEmpty(backend, other)) {
            return;
        }
        StateDescriptor<S, ?> left = describe.apply(other);
        if (!expires) { // all that is still there
            left.enableTimeToLive(
                    StateTtlConfig.newBuilder(Duration.ofMillis(Long.MAX_VALUE)).build());
        }
        LOG.info("State {} is moved to a life of {}.", other, expires ? "limited time" : "no end");
        backend.applyToAllKeys(
                VoidNamespace.INSTANCE,
                VoidNamespaceSerializer.INSTANCE,
                left,
                (key, from) -> move.move(from, values));
    }

    /** A state that is restored and not registered is there, too. */
    private static boolean isEmpty(KeyedStateBackend<?> backend, String name) {
        try (Stream<?> keys = backend.getKeys(name, VoidNamespace.INSTANCE)) {
            return keys.findAny().isEmpty();
        }
    }
}
