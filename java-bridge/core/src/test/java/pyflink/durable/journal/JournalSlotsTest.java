package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** The journal as it is written by slot: which writes a slot takes, and which it refuses. */
class JournalSlotsTest extends JournalFixture {

    @Test
    void aSlotBehindTheLastOneIsEmpty() {
        journal.appendPendingCallAt(0, F, X, false);

        assertThat(journal.getCallResultFieldsAt(1)).isNull();
        assertThat(journal.getCallResultFieldsAt(100)).isNull();
    }

    @Test
    void aSlotIsOnlyFilledBehindTheLastOne() {
        journal.appendPendingCallAt(0, F, X, false);

        assertThatThrownBy(() -> journal.appendPendingCallAt(2, G, Y, false))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "shop.refund cannot be put in slot 2 of a journal of 1 calls: a slot"
                                + " is only filled behind the last one.");
        assertThatThrownBy(() -> journal.recordCallCompletionAt(2, G, Y, RESULT, null, T, false))
                .isInstanceOf(IllegalStateException.class);
        assertThat(journal.size()).isEqualTo(1);
    }

    @Test
    void aFilledSlotIsNotFilledAgain() {
        journal.appendPendingCallAt(0, F, X, false);

        assertThatThrownBy(() -> journal.appendPendingCallAt(0, F, X, false))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> journal.recordCallCompletionAt(0, F, X, RESULT, null, T, false))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> journal.appendPendingCall(F, X))
                .isInstanceOf(IllegalStateException.class);
        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null, null, null, 0));
    }

    @Test
    void callsAreFinalizedInAnyOrderAndTheOrderIsKept() {
        journal.appendPendingCallAt(0, F, X, false);
        journal.appendPendingCallAt(1, G, X, false);
        journal.appendPendingCallAt(2, F, Y, false);

        journal.finalizeCallAt(2, F, Y, RESULT, null, T);
        journal.finalizeCallAt(0, F, X, null, ERROR, T);
        journal.finalizeCallAt(1, G, X, RESULT, null, T);

        assertThat(journal.calls()).extracting(Call::completion).containsExactly(1, 2, 0);
        assertThat(journal.calls())
                .extracting(Call::status)
                .containsExactly(CallStatus.FAILED, CallStatus.SUCCEEDED, CallStatus.SUCCEEDED);
    }

    @Test
    void slotMethodsLeaveTheCursorWhereItIs() {
        journal.appendPendingCallAt(0, F, X, false);
        journal.finalizeCallAt(0, F, X, RESULT, null, T);
        journal.recordCallCompletionAt(1, G, Y, RESULT, null, T, false);

        assertThat(journal.matchNextOrClearSubsequentCallResult(F, X)).isNotNull();
        assertThat(journal.matchNextOrClearSubsequentCallResult(G, Y)).isNotNull();
    }

    @Test
    void aTerminalSlotNeverChanges() {
        journal.appendPendingCallAt(0, F, X, false);
        journal.finalizeCallAt(0, F, X, RESULT, null, T);

        assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, null, ERROR, T))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "Slot 0 cannot take the outcome of shop.charge(00000000000000aa): it"
                                + " holds shop.charge(00000000000000aa) SUCCEEDED.");
        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "SUCCEEDED", RESULT, null, 0, 1, null, T, null, 0));
    }

    @Test
    void aFailedSlotIsTerminalToo() {
        journal.appendPendingCallAt(0, F, X, false);
        journal.finalizeCallAt(0, F, X, null, ERROR, T);

        assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, RESULT, null, T))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void finalizingNeedsThatIdentity() {
        journal.appendPendingCallAt(0, F, X, false);

        assertThatThrownBy(() -> journal.finalizeCallAt(0, F, Y, RESULT, null, T))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> journal.finalizeCallAt(0, G, X, RESULT, null, T))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("it holds shop.charge(00000000000000aa) PENDING");
        assertThatThrownBy(() -> journal.finalizeCurrentCall(G, X, RESULT, null))
                .isInstanceOf(IllegalStateException.class);
        assertThat(journal.getCurrentCallResultFields())
                .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null, null, null, 0));
    }

    @Test
    void finalizingNeedsASlot() {
        assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, RESULT, null, T))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("it holds nothing");
        assertThatThrownBy(() -> journal.finalizeCurrentCall(F, X, RESULT, null))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aResultForADroppedSlotIsRefusedAlsoWhenAnotherCallTookItsPlace() {
        journal.appendPendingCallAt(0, F, X, false);
        journal.appendPendingCallAt(1, F, Y, false);
        journal.clearCallResultsFrom(1);

        assertThatThrownBy(() -> journal.finalizeCallAt(1, F, Y, RESULT, null, T))
                .isInstanceOf(IllegalStateException.class);
        journal.appendPendingCallAt(1, G, Y, false);
        assertThatThrownBy(() -> journal.finalizeCallAt(1, F, Y, RESULT, null, T))
                .isInstanceOf(IllegalStateException.class);
        assertThat(journal.calls().get(1).status()).isEqualTo(CallStatus.PENDING);
    }

    @Test
    void aRefusedCallLeavesNothingToSave() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        save();

        assertThatThrownBy(() -> journal.appendPendingCallAt(0, G, Y, false))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, null, ERROR, T))
                .isInstanceOf(IllegalStateException.class);

        assertThat(journal.hasChanges()).isFalse();
        assertThat(save()).isEmpty();
    }
}
