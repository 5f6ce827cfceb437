package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The journal as it is written and replayed in order, at the cursor. */
class JournalCursorTest extends JournalFixture {

    @Test
    void anEmptyJournalHasNothingToReplay() {
        assertThat(journal.getCurrentCallResultFields()).isNull();
        assertThat(journal.matchNextOrClearSubsequentCallResult(F, X)).isNull();
        assertThat(journal.size()).isZero();
    }

    @Test
    void aPendingCallStaysAtTheCursorUntilItIsFinalized() {
        journal.appendPendingCall(F, X);

        assertThat(journal.getCurrentCallResultFields())
                .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null, null, null, 0));

        journal.finalizeCurrentCall(F, X, RESULT, null);

        assertThat(journal.getCurrentCallResultFields()).isNull();
        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(
                        fields(F, X, "SUCCEEDED", RESULT, null, 0, 1, null, null, null, 0));
    }

    @Test
    void aCallWithAnExceptionIsFailed() {
        journal.appendPendingCall(F, X);
        journal.finalizeCurrentCall(F, X, null, ERROR);

        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "FAILED", null, ERROR, 0, 1, null, null, null, 0));
    }

    @Test
    void aCallThatReturnsNothingSucceeds() {
        journal.recordCallCompletion(F, X, null, null);

        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "SUCCEEDED", null, null, 0, 1, null, null, null, 0));
    }

    @Test
    void aRecordedCompletionMovesTheCursor() {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.recordCallCompletion(G, Y, null, ERROR);

        assertThat(journal.getCurrentCallResultFields()).isNull();
        assertThat(journal.getCallResultFieldsAt(1))
                .containsExactly(fields(G, Y, "FAILED", null, ERROR, 1, 1, null, null, null, 0));
    }

    @Test
    void aMatchAnswersAndMovesTheCursor() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.recordCallCompletion(G, Y, null, ERROR);
        CursorJournal again = CursorJournal.restore(saved(journal));

        assertThat(again.matchNextOrClearSubsequentCallResult(F, X))
                .containsExactly(true, RESULT, null);
        assertThat(again.matchNextOrClearSubsequentCallResult(G, Y))
                .containsExactly(true, null, ERROR);
        assertThat(again.matchNextOrClearSubsequentCallResult(F, X)).isNull();
        assertThat(again.size()).isEqualTo(2);
    }

    @Test
    void aMatchWithAnotherFunctionDropsTheTail() throws Exception {
        CursorJournal again = CursorJournal.restore(threeCalls());
        again.matchNextOrClearSubsequentCallResult(F, X);

        assertThat(again.matchNextOrClearSubsequentCallResult(F, Y)).isNull();
        assertThat(again.size()).isEqualTo(1);
        assertThat(again.getCallResultFieldsAt(0)).isNotNull();
    }

    @Test
    void aMatchWithOtherArgumentsDropsTheTail() throws Exception {
        CursorJournal again = CursorJournal.restore(threeCalls());

        assertThat(again.matchNextOrClearSubsequentCallResult(F, Y)).isNull();
        assertThat(again.size()).isZero();
    }

    @Test
    void aMatchDropsAPendingSlotAsItsOutcomeIsNotKnown() {
        journal.appendPendingCall(F, X);

        assertThat(journal.matchNextOrClearSubsequentCallResult(F, X)).isNull();
        assertThat(journal.size()).isZero();
    }

    @Test
    void clearingDropsTheSlotAtTheCursorAndAllAfterItButNoneBefore() throws Exception {
        CursorJournal again = CursorJournal.restore(threeCalls());
        again.matchNextOrClearSubsequentCallResult(F, X);

        again.clearCallResultsFromCurrentIndexAndPersist();

        assertThat(again.calls()).hasSize(1);
        assertThat(again.getCurrentCallResultFields()).isNull();
        again.appendPendingCall(G, X);
        assertThat(again.getCurrentCallResultFields())
                .containsExactly(fields(G, X, "PENDING", null, null, -1, 1, null, null, null, 0));
    }

    private TreeMap<Integer, Call> threeCalls() throws Exception {
        CursorJournal three = new CursorJournal();
        three.recordCallCompletion(F, X, RESULT, null);
        three.recordCallCompletion(G, Y, RESULT, null);
        three.recordCallCompletion(F, Y, RESULT, null);
        return saved(three);
    }
}
