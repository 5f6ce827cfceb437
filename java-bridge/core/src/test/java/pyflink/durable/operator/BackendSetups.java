package pyflink.durable.operator;

import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.operator.DurableHarness.KeyKind;

/** The state backends, and the kinds of keys, that a snapshot is tested with. */
public final class BackendSetups {

    private BackendSetups() {}

    static Stream<Arguments> backendsAndKeys() {
        return Stream.of(Backend.values())
                .flatMap(
                        backend ->
                                Stream.of(KeyKind.LONG, KeyKind.STRING)
                                        .map(kind -> Arguments.of(backend, kind)));
    }

    public static DurableHarness.Setup on(Backend backend) {
        return DurableHarness.setup().backend(backend);
    }
}
