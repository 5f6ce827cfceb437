package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.journal.Call.NO_TIME;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Python writes reaches the journal in order, and the operator is told of it. */
class JournalWritesTest extends BridgeFixture {

    private static final long BEGAN = 1_700_000_000_000_001L;

    @Test
    void theSlotMethodsReachTheJournalOfTheInvocation() {
        bridge.appendPendingCallAt(id, 0, "f", "d", NO_TIME, 0, null);
        bridge.recordCallCompletionAt(id, 1, "g", "d", new byte[] {1}, null, NO_TIME, NO_TIME, 0);
        bridge.finalizeCallAt(id, 0, "f", "d", null, new byte[] {2}, NO_TIME, null);

        assertThat(bridge.getCallResultFieldsAt(id, 0))
                .containsExactly(call("f", "FAILED", null, new byte[] {2}, 1, 1, null, null, null));
        assertThat(bridge.getCalls(id))
                .containsExactly(
                        call("f", "FAILED", null, new byte[] {2}, 1, 1, null, null, null),
                        call("g", "SUCCEEDED", new byte[] {1}, null, 0, 1, null, null, null));
        assertThat(host.invocation.journal().size()).isEqualTo(2);

        bridge.clearCallResultsFrom(id, 1);
        assertThat(bridge.getCallResultFieldsAt(id, 1)).isNull();
    }

    @Test
    void theWritesOfAStepAreAppliedInOrder() {
        byte[] result = {1};
        byte[] error = {2};
        apply(
                3,
                write(0, "f", "PENDING").build(),
                write(1, "g", "RECORDED").result(result).build(),
                write(0, "f", "FINALIZED").exception(error).build(),
                write(2, "dropped", "PENDING").build(),
                write(2, null, "CLEARED").build(),
                write(2, "h", "PENDING").build());

        assertThat(bridge.getCalls(id))
                .containsExactly(
                        call("f", "FAILED", null, error, 1, 1, null, null, null),
                        call("g", "SUCCEEDED", result, null, 0, 1, null, null, null),
                        call("h", "PENDING", null, null, -1, 1, null, null, null));
        assertThat(counters.toJsonMembers()).startsWith("\"executed\": 3,");
    }

    @Test
    void attemptsAndTimesOfAStepAreApplied() {
        apply(
                1,
                write(0, "f", "PENDING").build(),
                write(0, "f", "SCHEDULED").attempt(2L).due(5_000L).build(),
                write(1, "sleep", "SCHEDULED").attempt(1).due(7_000).build(),
                write(0, "f", "ATTEMPT").attempt(2L).build());

        assertThat(bridge.getCalls(id))
                .containsExactly(
                        call("f", "PENDING", null, null, -1, 2, null, null, null),
                        call("sleep", "PENDING", null, null, -1, 1, 7_000L, null, null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"PENDING", "SCHEDULED", "RECORDED"})
    void theFirstSlotKeepsWhenTheInvocationBegan(String first) {
        apply(1, write(0, "f", first).attempt(1).due(7).endedAt(BEGAN + 5).began(BEGAN).build());
        if (!first.equals("RECORDED")) {
            apply(0, write(0, "f", "ATTEMPT").attempt(2).build());
            apply(0, write(0, "f", "FINALIZED").endedAt(BEGAN + 5).build());
        }
        apply(1, write(1, "g", "RECORDED").endedAt(BEGAN + 9).build());

        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(null, BEGAN + 5, BEGAN, 0);
        assertThat(bridge.getCallResultFieldsAt(id, 1)).endsWith(null, BEGAN + 9, null, 0);
    }

    @Test
    void workersTellTheSameTimes() {
        bridge.appendPendingCallAt(id, 0, "f", "d", BEGAN, 0, null);
        bridge.finalizeCallAt(id, 0, "f", "d", null, null, BEGAN + 5, null);
        bridge.recordCallCompletionAt(id, 1, "g", "d", null, null, BEGAN + 9, NO_TIME, 0);
        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(null, BEGAN + 5, BEGAN, 0);
        assertThat(bridge.getCallResultFieldsAt(id, 1)).endsWith(null, BEGAN + 9, null, 0);

        bridge.clearCallResultsFrom(id, 0);
        bridge.scheduleCallAt(id, 0, "f", "d", 1, 7, BEGAN + 1, 0);
        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(7L, null, BEGAN + 1, 0);

        bridge.clearCallResultsFrom(id, 0);
        bridge.recordCallCompletionAt(id, 0, "f", "d", null, null, BEGAN + 5, BEGAN + 2, 0);
        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(null, BEGAN + 5, BEGAN + 2, 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"PENDING", "SCHEDULED", "RECORDED"})
    void aCallThatMaySimplyRunAgainSaysSo(String first) {
        apply(1, write(0, "f", first).attempt(1).due(7).repeatable().build());
        apply(1, write(1, "g", first).attempt(1).due(7).build());

        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(1);
        assertThat(bridge.getCallResultFieldsAt(id, 1)).endsWith(0);
    }

    @Test
    void workersTellWhatMaySimplyRunAgain() {
        bridge.appendPendingCallAt(id, 0, "f", "d", NO_TIME, 1, null);
        bridge.scheduleCallAt(id, 1, "f", "d", 1, 7, NO_TIME, 1);
        bridge.recordCallCompletionAt(id, 2, "f", "d", null, null, NO_TIME, NO_TIME, 1);
        bridge.appendPendingCallAt(id, 3, "f", "d", NO_TIME, 0, null);

        assertThat(Arrays.stream(bridge.getCalls(id)).map(call -> ((Object[]) call)[10]))
                .containsExactly(1, 1, 1, 0);
    }

    @Test
    void theOperatorIsToldOfEachWriteWithItsHoldOnceItIsInTheJournal() {
        apply(
                1,
                write(0, "f", "PENDING").hold("CHECKPOINT").build(),
                write(0, "f", "ATTEMPT").attempt(2).hold("LOG").build(),
                write(0, "f", "FINALIZED").build(),
                write(0, null, "CLEARED").build());

        assertThat(host.calls)
                .containsExactly(
                        "written 0 CHECKPOINT into [f(d) PENDING]",
                        "written 0 LOG into [f(d) PENDING]",
                        "written 0 null into [f(d) SUCCEEDED]",
                        "cleared 0 of []");
    }

    @Test
    void aHoldOfAWorkerThreadWakesTheOperator() {
        bridge.appendPendingCallAt(id, 0, "f", "d", NO_TIME, 0, "CHECKPOINT");
        bridge.scheduleCallAt(id, 0, "f", "d", 2, 5_000, NO_TIME, 0);
        bridge.startAttemptAt(id, 0, "f", "d", 2, "CHECKPOINT");
        bridge.finalizeCallAt(id, 0, "f", "d", null, null, NO_TIME, "LOG");
        bridge.recordCallCompletionAt(id, 1, "g", "d", null, null, NO_TIME, NO_TIME, 0);
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
        Object[] write = write(0, "f", "PENDING").build();
        write[0] = (int) id;
        write[1] = 0L;
        apply(1, write);

        assertThat(bridge.getCalls(id)).hasSize(1);
    }

    @Test
    void anUnknownWriteIsRefused() {
        assertThatThrownBy(() -> apply(1, write(0, "f", "LOST").build()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Unknown journal write LOST");
    }

    private void apply(long executed, Object[]... writes) {
        stepWrites.apply(executed, Arrays.stream(writes).flatMap(Arrays::stream).toArray());
    }

    private JournalWrite write(int slot, String functionId, String what) {
        return new JournalWrite(id, slot, functionId, "d", what);
    }

    private static Object[] call(String functionId, Object... fields) {
        return Stream.of(Stream.of(functionId, "d"), Arrays.stream(fields), Stream.of(0))
                .flatMap(field -> field)
                .toArray();
    }
}
