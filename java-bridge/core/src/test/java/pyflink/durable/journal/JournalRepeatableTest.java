package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What a mismatch may drop of a journal, since it may simply run again, is told by each slot. */
class JournalRepeatableTest extends JournalFixture {

    @Test
    void aCallStaysWhatItIsOverItsAttempts() {
        journal.appendPendingCallAt(0, F, X, true);
        journal.scheduleCallAt(0, F, X, 2, 5_000, true);
        journal.startAttemptAt(0, F, X, 2);
        assertThat(journal.callAt(0).repeatable()).isTrue();
        journal.finalizeCallAt(0, F, X, RESULT, null, T);
        assertThat(journal.callAt(0).repeatable()).isTrue();
    }

    @Test
    void aCallThatMustNotBeRepeatedStaysThat() {
        journal.appendPendingCallAt(0, F, X, false);
        journal.startAttemptAt(0, F, X, 2);
        journal.finalizeCallAt(0, F, X, null, ERROR, T);
        assertThat(journal.callAt(0).repeatable()).isFalse();
    }

    @Test
    void overTheCursorNothingIsKnownToBeRepeatable() {
        journal.appendPendingCall(F, X);
        journal.finalizeCurrentCall(F, X, RESULT, null);
        journal.recordCallCompletion(G, Y, RESULT, null);
        assertThat(journal.calls()).noneMatch(Call::repeatable);
    }

    @Test
    void aSnapshotAndTheLogKeepIt() throws Exception {
        journal.recordCallCompletionAt(0, F, X, RESULT, null, T, true);
        CursorJournal again = CursorJournal.restore(saved(journal));
        assertThat(again.callAt(0).repeatable()).isTrue();

        again.recover(0, Call.pending(F, X, 2));
        assertThat(again.callAt(0).repeatable()).isFalse();
        again.recover(1, Call.pending(G, X, 1).repeatable(true));
        assertThat(again.callAt(1).repeatable()).isTrue();
    }
}
