package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import pyflink.durable.operator.DurableBridge;

/** What Python asks after the end of an invocation, or of the task attempt, is refused. */
class LateCallTest extends BridgeFixture {

    /** They reach no invocation; what a closing host still counts and logs is worth having. */
    private static final List<String> ALLOWED_AFTER_CLOSE =
            List.of("wake", "count", "record", "log", "hasSideOutput", "describeTask");

    static Stream<Method> methodsRefusedAfterClose() {
        return Arrays.stream(DurableBridge.class.getDeclaredMethods())
                .filter(method -> Modifier.isPublic(method.getModifiers()))
                .filter(method -> !ALLOWED_AFTER_CLOSE.contains(method.getName()));
    }

    @Test
    void aWriteForAnInvocationThatHasEndedIsRefused() {
        invocations.end(host.invocation);

        assertThatThrownBy(
                        () ->
                                stepWrites.apply(
                                        1, new JournalWrite(id, 0, "f", "d", "PENDING").build()))
                .isInstanceOf(IllegalStateException.class);
        assertThat(host.invocation.journal().size()).isZero();
    }

    @Test
    void anUnknownInvocationIsRefused() {
        assertThatThrownBy(() -> new JournalWrite(1_000, 0, "f", "d", "PENDING").to(bridge))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Invocation 1000 has ended; its journal takes no more calls.");
        assertThatThrownBy(() -> bridge.getCalls(1_000)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void anInvocationThatHasEndedIsRefused() {
        new JournalWrite(id, 0, "f", "d", "PENDING").to(bridge);

        invocations.end(host.invocation);

        assertThatThrownBy(() -> new JournalWrite(id, 0, "f", "d", "FINALIZED").to(bridge))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Invocation 17 has ended; its journal takes no more calls.");
    }

    @ParameterizedTest
    @MethodSource("methodsRefusedAfterClose")
    void afterTheCloseItIsRefused(Method method) {
        new JournalWrite(id, 0, "f", "d", "PENDING").to(bridge);
        host.calls.clear();

        invocations.close();

        assertThatThrownBy(() -> method.invoke(bridge, arguments(method)))
                .hasCauseInstanceOf(IllegalStateException.class)
                .cause()
                .hasMessage(
                        "The task attempt of this call has ended; what it does no longer counts.");
        assertThat(host.calls).isEmpty();
        assertThat(counters.toJsonMembers()).startsWith("\"executed\": 1,");
        assertThat(host.invocation.journal().calls())
                .extracting(Object::toString)
                .containsExactly("f(d) PENDING");
    }

    @Test
    void afterTheCloseAStepIsRefused() {
        invocations.close();

        assertThatThrownBy(() -> stepWrites.apply(1, new Object[0]))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "The task attempt of this call has ended; what it does no longer counts.");
        assertThat(counters.toJsonMembers()).startsWith("\"executed\": 0,");
    }

    @Test
    void afterTheCloseWakingDoesNothingAndCountingAndLoggingStillWork() {
        invocations.close();

        bridge.wake();
        bridge.count("abandoned", 3);
        bridge.log("INFO", "closing");

        assertThat(host.calls).isEmpty();
        assertThat(counters.toJsonMembers()).contains("\"abandoned\": 3");
    }

    private Object[] arguments(Method method) {
        List<Object> arguments = new ArrayList<>();
        for (Class<?> type : method.getParameterTypes()) {
            if (type == long.class) {
                arguments.add(id);
            } else if (type == int.class) {
                arguments.add(0);
            } else {
                arguments.add(type == String.class ? "f" : null);
            }
        }
        return arguments.toArray();
    }
}
