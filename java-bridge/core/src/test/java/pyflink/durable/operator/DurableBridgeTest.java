package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the Python side may ask of the operator, and when it is refused. */
class DurableBridgeTest {

    /** They reach no invocation; what a closing host still counts and logs is worth having. */
    private static final List<String> ALLOWED_AFTER_CLOSE =
            List.of("wake", "count", "record", "log", "hasSideOutput");

    private final RecordingHost host = new RecordingHost();
    private final DurableCounters counters =
            new DurableCounters(new UnregisteredMetricsGroup(), () -> 0, () -> 0, () -> 0, () -> 0);
    private final DurableBridge bridge = new DurableBridge(host, counters);
    private final long id = host.invocation.id();

    @BeforeEach
    void begin() {
        bridge.begin(host.invocation);
    }

    static Stream<Method> methodsRefusedAfterClose() {
        return Arrays.stream(DurableBridge.class.getDeclaredMethods())
                .filter(method -> Modifier.isPublic(method.getModifiers()))
                .filter(method -> !ALLOWED_AFTER_CLOSE.contains(method.getName()));
    }

    @Test
    void theKeyOfAnInvocationComesInPyFlinksForm() {
        assertThat(bridge.getKey(id)).isEqualTo("external alice");
    }

    @Test
    void theSlotMethodsReachTheJournalOfTheInvocation() {
        bridge.appendPendingCallAt(id, 0, "f", "d", null);
        bridge.recordCallCompletionAt(id, 1, "g", "d", new byte[] {1}, null);
        bridge.finalizeCallAt(id, 0, "f", "d", null, new byte[] {2}, null);

        assertThat(bridge.getCallResultFieldsAt(id, 0))
                .containsExactly("f", "d", "FAILED", null, new byte[] {2}, 1, 1, null);
        assertThat(bridge.getCalls(id))
                .containsExactly(
                        new Object[] {"f", "d", "FAILED", null, new byte[] {2}, 1, 1, null},
                        new Object[] {"g", "d", "SUCCEEDED", new byte[] {1}, null, 0, 1, null});
        assertThat(host.invocation.journal().size()).isEqualTo(2);

        bridge.clearCallResultsFrom(id, 1);
        assertThat(bridge.getCallResultFieldsAt(id, 1)).isNull();
    }

    @Test
    void theWritesOfAStepAreAppliedInOrder() {
        byte[] result = {1};
        byte[] error = {2};
        bridge.applyJournalWrites(
                3,
                new Object[] {
                    id, 0, "f", "d", "PENDING", null, null, null, null, null, //
                    id, 1, "g", "d", "RECORDED", result, null, null, null, null, //
                    id, 0, "f", "d", "FINALIZED", null, error, null, null, null, //
                    id, 2, "dropped", "d", "PENDING", null, null, null, null, null, //
                    id, 2, null, null, "CLEARED", null, null, null, null, null, //
                    id, 2, "h", "d", "PENDING", null, null, null, null, null
                });

        assertThat(bridge.getCalls(id))
                .containsExactly(
                        new Object[] {"f", "d", "FAILED", null, error, 1, 1, null},
                        new Object[] {"g", "d", "SUCCEEDED", result, null, 0, 1, null},
                        new Object[] {"h", "d", "PENDING", null, null, -1, 1, null});
        assertThat(counters.toJsonMembers()).startsWith("\"executed\": 3,");
    }

    @Test
    void attemptsAndTimesOfAStepAreApplied() {
        bridge.applyJournalWrites(
                1,
                new Object[] {
                    id,
                    0,
                    "f",
                    "d",
                    "PENDING",
                    null,
                    null,
                    null,
                    null,
                    null, //
                    id,
                    0,
                    "f",
                    "d",
                    "SCHEDULED",
                    null,
                    null,
                    2L,
                    5_000L,
                    null, //
                    id,
                    1,
                    "sleep",
                    "d",
                    "SCHEDULED",
                    null,
                    null,
                    1,
                    7_000,
                    null, //
                    id,
                    0,
                    "f",
                    "d",
                    "ATTEMPT",
                    null,
                    null,
                    2L,
                    null,
                    null
                });

        assertThat(bridge.getCalls(id))
                .containsExactly(
                        new Object[] {"f", "d", "PENDING", null, null, -1, 2, null},
                        new Object[] {"sleep", "d", "PENDING", null, null, -1, 1, 7_000L});
    }

    @Test
    void theOperatorIsToldOfEachWriteWithItsHoldOnceItIsInTheJournal() {
        bridge.applyJournalWrites(
                1,
                new Object[] {
                    id,
                    0,
                    "f",
                    "d",
                    "PENDING",
                    null,
                    null,
                    null,
                    null,
                    "CHECKPOINT", //
                    id,
                    0,
                    "f",
                    "d",
                    "ATTEMPT",
                    null,
                    null,
                    2,
                    null,
                    "LOG", //
                    id,
                    0,
                    "f",
                    "d",
                    "FINALIZED",
                    null,
                    null,
                    null,
                    null,
                    null, //
                    id,
                    0,
                    null,
                    null,
                    "CLEARED",
                    null,
                    null,
                    null,
                    null,
                    null
                });

        assertThat(host.calls)
                .containsExactly(
                        "written 0 CHECKPOINT into [f(d) PENDING]",
                        "written 0 LOG into [f(d) PENDING]",
                        "written 0 null into [f(d) SUCCEEDED]",
                        "cleared 0 of []");
    }

    @Test
    void aHoldOfAWorkerThreadWakesTheOperator() {
        bridge.appendPendingCallAt(id, 0, "f", "d", "CHECKPOINT");
        bridge.scheduleCallAt(id, 0, "f", "d", 2, 5_000);
        bridge.startAttemptAt(id, 0, "f", "d", 2, "CHECKPOINT");
        bridge.finalizeCallAt(id, 0, "f", "d", null, null, "LOG");
        bridge.recordCallCompletionAt(id, 1, "g", "d", null, null);
        bridge.clearCallResultsFrom(id, 1);

        assertThat(host.calls)
                .containsExactly(
                        "written 0 CHECKPOINT into [f(d) PENDING]",
                        "wake",
                        "written 0 null into [f(d) PENDING]",
                        "written 0 CHECKPOINT into [f(d) PENDING]",
                        "wake",
                        "written 0 LOG into [f(d) SUCCEEDED]",
                        "wake",
                        "written 1 null into [f(d) SUCCEEDED, g(d) SUCCEEDED]",
                        "cleared 1 of [f(d) SUCCEEDED]");
    }

    @Test
    void aWriteThatTheJournalRefusesIsNotTold() {
        assertThatThrownBy(() -> bridge.startAttemptAt(id, 0, "f", "d", 2, "CHECKPOINT"))
                .isInstanceOf(IllegalStateException.class);

        assertThat(host.calls).isEmpty();
    }

    @Test
    void pythonMaySendNumbersOfAnyWidth() {
        bridge.applyJournalWrites(
                1, new Object[] {(int) id, 0L, "f", "d", "PENDING", null, null, null, null, null});

        assertThat(bridge.getCalls(id)).hasSize(1);
    }

    @Test
    void anUnknownWriteIsRefused() {
        assertThatThrownBy(
                        () ->
                                bridge.applyJournalWrites(
                                        1,
                                        new Object[] {
                                            id, 0, "f", "d", "LOST", null, null, null, null, null
                                        }))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Unknown journal write LOST");
    }

    @Test
    void aWriteForAnInvocationThatHasEndedIsRefused() {
        bridge.end(host.invocation);

        assertThatThrownBy(
                        () ->
                                bridge.applyJournalWrites(
                                        1,
                                        new Object[] {
                                            id, 0, "f", "d", "PENDING", null, null, null, null, null
                                        }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(host.invocation.journal().size()).isZero();
    }

    @Test
    void anUnknownInvocationIsRefused() {
        assertThatThrownBy(() -> bridge.appendPendingCallAt(1_000, 0, "f", "d", null))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Invocation 1000 has ended; its journal takes no more calls.");
        assertThatThrownBy(() -> bridge.getCalls(1_000)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void anInvocationThatHasEndedIsRefused() {
        bridge.appendPendingCallAt(id, 0, "f", "d", null);

        bridge.end(host.invocation);

        assertThatThrownBy(() -> bridge.finalizeCallAt(id, 0, "f", "d", null, null, null))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Invocation 17 has ended; its journal takes no more calls.");
    }

    @Test
    void wakingReachesTheOperator() {
        bridge.wake();
        bridge.wakeAt(1_234);

        assertThat(host.calls).containsExactly("wake", "wakeAt 1234");
    }

    @ParameterizedTest
    @MethodSource("methodsRefusedAfterClose")
    void afterTheCloseItIsRefused(Method method) {
        bridge.appendPendingCallAt(id, 0, "f", "d", null);
        host.calls.clear();

        bridge.close();

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
    void afterTheCloseWakingDoesNothingAndCountingAndLoggingStillWork() {
        bridge.close();

        bridge.wake();
        bridge.count("abandoned", 3);
        bridge.log("INFO", "closing");

        assertThat(host.calls).isEmpty();
        assertThat(counters.toJsonMembers()).contains("\"abandoned\": 3");
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

    @Test
    void countersAddUpAndShowAsJson() {
        bridge.count("replayed", 2);
        bridge.count("replayed", 3);

        assertThat("{" + counters.toJsonMembers() + "}")
                .contains("\"replayed\": 5")
                .contains("\"reconciled\": 0")
                .contains("\"executed\": ")
                .matches("\\{(\"[A-Za-z]+\": \\d+, )*\"[A-Za-z]+\": \\d+}");
    }

    @Test
    void anUnknownCounterIsRefused() {
        assertThatThrownBy(() -> bridge.count("repalyed", 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("There is no counter repalyed; known are [")
                .hasMessageContaining("replayed");
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
        return Arrays.stream(DurableBridge.class.getDeclaredMethods())
                .filter(method -> Modifier.isPublic(method.getModifiers()));
    }

    private Object[] arguments(Method method) {
        List<Object> arguments = new ArrayList<>();
        for (Class<?> type : method.getParameterTypes()) {
            if (type == long.class) {
                arguments.add(id);
            } else if (type == int.class) {
                arguments.add(0);
            } else if (type == Object[].class) {
                arguments.add(
                        new Object[] {id, 0, "f", "d", "FINALIZED", null, null, null, null, null});
            } else {
                arguments.add(type == String.class ? "f" : null);
            }
        }
        return arguments.toArray();
    }

    private static final class RecordingHost implements DurableBridge.Host {
        private final List<String> calls = new ArrayList<>();
        private final Invocation<String, String> invocation =
                new Invocation<>(
                        17,
                        new KeyLane<>("alice", 6),
                        new Input<>(5, 99L, "value"),
                        new WatermarkHold().enter(),
                        null);

        @Override
        public void wake() {
            calls.add("wake");
        }

        @Override
        public void wakeAt(long epochMillis) {
            calls.add("wakeAt " + epochMillis);
        }

        @Override
        public int identify(Invocation<?, ?> asked, String invocationId, String inputDigest) {
            return asked.journal().size();
        }

        @Override
        public Object externalKey(Invocation<?, ?> asked) {
            return "external " + asked.key();
        }

        @Override
        public UserState userState(long id) {
            calls.add("userState " + id);
            return null;
        }

        @Override
        public void written(Invocation<?, ?> of, int slot, String hold) {
            calls.add("written " + slot + " " + hold + " into " + of.journal().calls());
        }

        @Override
        public void cleared(Invocation<?, ?> of, int slot) {
            calls.add("cleared " + slot + " of " + of.journal().calls());
        }

        @Override
        public boolean hasSideOutput(String tag) {
            calls.add("hasSideOutput " + tag);
            return true;
        }
    }
}
