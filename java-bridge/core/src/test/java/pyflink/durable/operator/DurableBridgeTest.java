package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import pyflink.durable.engine.BridgeFixture;

/** What the Python side may ask of the operator. */
class DurableBridgeTest extends BridgeFixture {

    @Test
    void theKeyOfAnInvocationComesInPyFlinksForm() {
        assertThat(bridge.getKey(id)).isEqualTo("external alice");
    }

    @Test
    void wakingReachesTheOperator() {
        bridge.wake();
        bridge.wakeAt(1_234);

        assertThat(host.calls).containsExactly("wake", "wakeAt 1234");
    }

    @Test
    void everyLevelIsLogged() {
        assertThatCode(
                        () -> {
                            for (String level :
                                    List.of("ERROR", "WARNING", "INFO", "DEBUG", "other")) {
                                bridge.log(level, "a line at " + level);
                            }
                        })
                .doesNotThrowAnyException();
    }

    /** Only what may cross from any Python thread: no custom Java type. */
    @ParameterizedTest
    @MethodSource("publicMethods")
    void everyMethodTakesAndReturnsOnlyWhatMayCrossFromAnyThread(Method method) {
        List<Class<?>> crossing =
                List.of(
                        void.class,
                        boolean.class,
                        int.class,
                        long.class,
                        String.class,
                        byte[].class,
                        Object[].class,
                        Object.class);

        assertThat(crossing).contains(method.getReturnType());
        assertThat(crossing).containsAll(List.of(method.getParameterTypes()));
    }

    static Stream<Method> publicMethods() {
        return Stream.of(DurableBridge.class, HandlerMetrics.class)
                .flatMap(type -> Arrays.stream(type.getDeclaredMethods()))
                .filter(method -> Modifier.isPublic(method.getModifiers()));
    }
}
