package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** When an invocation began, and when its calls ended: where its clock stood, in each run. */
class JournalTimesTest extends JournalFixture {

    private static final long BEGAN = T - 5;

    @Test
    void theFirstSlotTellsWhenTheInvocationBeganWhateverBecomesOfTheCall() {
        journal.begin(BEGAN);
        journal.scheduleCallAt(0, F, X, 1, 7, false);
        assertThat(began(journal, 0)).isEqualTo(BEGAN);
        journal.startAttemptAt(0, F, X, 1);
        assertThat(began(journal, 0)).isEqualTo(BEGAN);
        journal.finalizeCallAt(0, F, X, RESULT, null, T);
        assertThat(began(journal, 0)).isEqualTo(BEGAN);
        assertThat(journal.callAt(0).endedAt()).isEqualTo(T);
    }

    @Test
    void theOtherSlotsDoNot() {
        journal.begin(BEGAN);
        journal.recordCallCompletionAt(0, F, X, RESULT, null, T, false);
        journal.appendPendingCallAt(1, G, Y, false);

        assertThat(began(journal, 1)).isEqualTo(Call.NO_TIME);
    }

    @Test
    void itIsKnownAfterARestoreAndAfterAMismatchInTheFirstSlot() throws Exception {
        journal.begin(BEGAN);
        journal.recordCallCompletionAt(0, F, X, RESULT, null, T, false);
        CursorJournal again = CursorJournal.restore(saved(journal));
        again.clearCallResultsFrom(0);
        again.appendPendingCallAt(0, G, Y, false);

        assertThat(began(again, 0)).isEqualTo(BEGAN);
    }

    @Test
    void theCallLogKnowsItBetterThanTheCheckpoint() {
        journal.begin(BEGAN);
        journal.appendPendingCallAt(0, F, X, false);
        CursorJournal again = new CursorJournal();
        again.recover(0, journal.callAt(0));
        again.finalizeCallAt(0, F, X, RESULT, null, T);

        assertThat(began(again, 0)).isEqualTo(BEGAN);
    }

    @Test
    void nothingIsToldWhereNothingIsKnown() {
        journal.begin(BEGAN);
        journal.begin(Call.NO_TIME);
        journal.appendPendingCallAt(0, F, X, false);
        assertThat(began(journal, 0)).isEqualTo(BEGAN);

        CursorJournal old = CursorJournal.restore(new TreeMap<>());
        old.recordCallCompletion(F, X, RESULT, null);
        assertThat(began(old, 0)).isEqualTo(Call.NO_TIME);
        assertThat(old.callAt(0).endedAt()).isEqualTo(Call.NO_TIME);
    }

    private static long began(Journal journal, int slot) {
        return journal.callAt(slot).invocationBegan();
    }
}
