package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What Python writes reaches the journal in order, and the operator is told of it. */
class JournalWritesTest extends BridgeFixture {

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
}
