package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Python writes reaches the journal in order, and the operator is told of it. */
class JournalWritesTest extends BridgeFixture {

    private static final long BEGAN = 1_700_000_000_000_001L;

    @Test
    void whatAWorkerWritesReachesTheJournalOfTheInvocation() {
        write(0, "f", "PENDING").to(bridge);
        write(1, "g", "RECORDED").result(new byte[] {1}).to(bridge);
        write(0, "f", "FINALIZED").exception(new byte[] {2}).to(bridge);

        assertThat(bridge.getCallResultFieldsAt(id, 0))
                .containsExactly(call("f", "FAILED", null, new byte[] {2}, 1, 1, null, null, null));
        assertThat(bridge.getCalls(id))
                .containsExactly(
                        call("f", "FAILED", null, new byte[] {2}, 1, 1, null, null, null),
                        call("g", "SUCCEEDED", new byte[] {1}, null, 0, 1, null, null, null));
        assertThat(host.invocation.journal().size()).isEqualTo(2);

        write(1, null, "CLEARED").to(bridge);
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

        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(null, BEGAN + 5, BEGAN, 0, "CALL");
        assertThat(bridge.getCallResultFieldsAt(id, 1)).endsWith(null, BEGAN + 9, null, 0, "CALL");
    }

    @ParameterizedTest
    @ValueSource(strings = {"PENDING", "SCHEDULED", "RECORDED"})
    void aCallThatMaySimplyRunAgainSaysSo(String first) {
        apply(1, write(0, "f", first).attempt(1).due(7).repeatable().build());
        apply(1, write(1, "g", first).attempt(1).due(7).build());

        assertThat(bridge.getCallResultFieldsAt(id, 0)).endsWith(1, "CALL");
        assertThat(bridge.getCallResultFieldsAt(id, 1)).endsWith(0, "CALL");
    }

    @Test
    void whatIsNoCallIsOpenedByTheNameOfItsKindAndFilled() {
        apply(
                0,
                open(0, "TIMER", "").due(7_000).began(BEGAN).repeatable().build(),
                open(1, "SIGNAL", "approval").due(8_000).build(),
                new JournalWrite(id, 0, "", "", "FINALIZED").endedAt(BEGAN + 7).build());

        assertThat(bridge.getCallResultFieldsAt(id, 0))
                .startsWith("", "", "SUCCEEDED")
                .endsWith(null, BEGAN + 7, BEGAN, 1, "TIMER");
        assertThat(bridge.getCallResultFieldsAt(id, 1))
                .startsWith("approval", "", "PENDING")
                .endsWith(8_000L, null, null, 0, "SIGNAL");
        assertThat(host.invocation.journal().begun().isEmpty()).as("none is a call").isTrue();
    }

    private JournalWrite open(int slot, String kind, String name) {
        return new JournalWrite(id, slot, name, "", kind);
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
    void whatAWorkerWritesIsCountedAsInAStep() {
        write(0, "f", "PENDING").to(bridge);
        write(1, "g", "RECORDED").to(bridge);
        write(0, "f", "FINALIZED").to(bridge);

        assertThat(counters.toJsonMembers()).startsWith("\"executed\": 2,");
    }

    @Test
    void aHoldOfAWorkerThreadWakesTheOperator() {
        write(0, "f", "PENDING").hold("CHECKPOINT").to(bridge);
        write(0, "f", "SCHEDULED").attempt(2).due(5_000).to(bridge);
        write(0, "f", "ATTEMPT").attempt(2).hold("CHECKPOINT").to(bridge);
        write(0, "f", "FINALIZED").hold("LOG").to(bridge);
        write(1, "g", "RECORDED").to(bridge);
        write(1, null, "CLEARED").to(bridge);

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
        assertThatThrownBy(() -> write(0, "f", "ATTEMPT").attempt(2).hold("LOG").to(bridge))
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
                .hasMessageContaining("SlotKind.LOST");
    }

    private void apply(long executed, Object[]... writes) {
        stepWrites.apply(executed, Arrays.stream(writes).flatMap(Arrays::stream).toArray());
    }

    private JournalWrite write(int slot, String functionId, String what) {
        return new JournalWrite(id, slot, functionId, "d", what);
    }

    private static Object[] call(String functionId, Object... fields) {
        return Stream.of(Stream.of(functionId, "d"), Arrays.stream(fields), Stream.of(0, "CALL"))
                .flatMap(field -> field)
                .toArray();
    }
}
