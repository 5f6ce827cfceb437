package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What a snapshot writes of a journal, and what is restored of it. */
class JournalSnapshotsTest extends JournalFixture {

    @Test
    void anUntouchedJournalHasNothingToSave() throws Exception {
        assertThat(journal.hasChanges()).isFalse();
        assertThat(save()).isEmpty();
        assertThat(journal.savedSize()).isZero();
    }

    @Test
    void onlyWhatChangedSinceTheLastSnapshotIsWritten() throws Exception {
        journal.appendPendingCallAt(0, F, X, false);
        journal.appendPendingCallAt(1, G, X, false);
        assertThat(journal.hasChanges()).isTrue();
        assertThat(save()).containsExactly("put 0", "put 1");
        assertThat(journal.hasChanges()).isFalse();
        assertThat(save()).isEmpty();

        journal.finalizeCallAt(1, G, X, RESULT, null, T);
        journal.appendPendingCallAt(2, F, Y, false);

        assertThat(journal.hasChanges()).isTrue();
        assertThat(save()).containsExactly("put 1", "put 2");
        assertThat(journal.savedSize()).isEqualTo(3);
        assertThat(state.slots.values()).containsExactlyElementsOf(journal.calls());
    }

    @Test
    void droppedSlotsAreRemoved() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.recordCallCompletion(G, X, RESULT, null);
        journal.recordCallCompletion(F, Y, RESULT, null);
        save();

        journal.clearCallResultsFrom(1);

        assertThat(journal.hasChanges()).isTrue();
        assertThat(save()).containsExactly("remove 1", "remove 2");
        assertThat(journal.hasChanges()).isFalse();
        assertThat(state.slots.values()).containsExactlyElementsOf(journal.calls());
    }

    @Test
    void aDroppedSlotThatWasFilledAgainIsOverwrittenAndTheRestRemoved() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.recordCallCompletion(G, X, RESULT, null);
        journal.recordCallCompletion(F, Y, RESULT, null);
        save();

        journal.clearCallResultsFrom(1);
        journal.appendPendingCallAt(1, G, Y, false);

        assertThat(save()).containsExactly("put 1", "remove 2");
        assertThat(state.slots.values()).containsExactlyElementsOf(journal.calls());
    }

    @Test
    void aSlotThatCameAndWentBetweenTwoSnapshotsIsNeverWritten() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.appendPendingCallAt(1, G, X, false);
        journal.appendPendingCallAt(2, G, Y, false);
        journal.clearCallResultsFrom(1);

        assertThat(save()).containsExactly("put 0");
    }

    @Test
    void aSnapshotKeepsTheCallThatItWasGiven() throws Exception {
        journal.appendPendingCallAt(0, F, X, false);
        save();

        journal.finalizeCallAt(0, F, X, RESULT, null, T);

        assertThat(state.slots.get(0).status()).isEqualTo(CallStatus.PENDING);
    }

    @Test
    void aRestoredJournalStartsAtTheFirstSlotWithNothingToSave() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.appendPendingCall(G, Y);

        CursorJournal again = CursorJournal.restore(saved(journal));

        assertThat(again.getCurrentCallResultFields())
                .containsExactly(
                        fields(F, X, "SUCCEEDED", RESULT, null, 0, 1, null, null, null, 0));
        assertThat(again.calls()).isEqualTo(journal.calls());
        assertThat(again.hasChanges()).isFalse();
        assertThat(again.savedSize()).isEqualTo(2);
    }

    @Test
    void theOrderOfCompletionsGoesOnAfterARestore() throws Exception {
        journal.appendPendingCallAt(0, F, X, false);
        journal.appendPendingCallAt(1, G, X, false);
        journal.appendPendingCallAt(2, F, Y, false);
        journal.finalizeCallAt(1, G, X, RESULT, null, T);
        journal.finalizeCallAt(2, F, Y, RESULT, null, T);

        CursorJournal again = CursorJournal.restore(saved(journal));
        again.finalizeCallAt(0, F, X, RESULT, null, T);
        again.recordCallCompletionAt(3, G, Y, RESULT, null, T, false);

        assertThat(again.calls()).extracting(Call::completion).containsExactly(2, 0, 1, 3);
    }

    @Test
    void droppedSlotsOfARestoredJournalAreRemovedFromTheState() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.recordCallCompletion(G, X, RESULT, null);
        CursorJournal again = CursorJournal.restore(saved(journal));

        again.matchNextOrClearSubsequentCallResult(G, X);
        SavedState changes = new SavedState();
        again.saveChanges(changes);

        assertThat(changes.operations).containsExactly("remove 0", "remove 1");
    }

    @Test
    void anEmptyStateIsAnEmptyJournal() {
        CursorJournal again = CursorJournal.restore(new TreeMap<>());

        assertThat(again.size()).isZero();
        assertThat(again.getCurrentCallResultFields()).isNull();
    }

    @Test
    void aHoleIsRefused() throws Exception {
        TreeMap<Integer, Call> damaged = threeSaved();
        damaged.remove(1);

        assertThatThrownBy(() -> Journal.restore(damaged))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "The restored journal has slots missing: it holds [0, 2]. The state is"
                                + " damaged; restore an older checkpoint.");
    }

    @Test
    void aMissingBeginningIsRefused() throws Exception {
        TreeMap<Integer, Call> damaged = threeSaved();
        damaged.remove(0);

        assertThatThrownBy(() -> Journal.restore(damaged))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("[1, 2]");
    }

    private TreeMap<Integer, Call> threeSaved() throws Exception {
        journal.recordCallCompletion(F, X, RESULT, null);
        journal.recordCallCompletion(G, X, RESULT, null);
        journal.recordCallCompletion(F, Y, RESULT, null);
        return saved(journal);
    }

    @Test
    void aWorkerMayWriteWhileSnapshotsAreTaken() throws Exception {
        int rounds = 20_000;
        CompletableFuture<Void> worker =
                CompletableFuture.runAsync(
                        () -> {
                            for (int i = 0; i < rounds; i++) {
                                int slot = journal.size();
                                journal.appendPendingCallAt(slot, F, X, false);
                                journal.finalizeCallAt(slot, F, X, RESULT, null, T);
                                if (slot > 50) {
                                    journal.clearCallResultsFrom(i % 50);
                                }
                            }
                        });
        SavedState snapshot = new SavedState();
        int taken = 0;
        while (!worker.isDone() || taken == 0) {
            journal.saveChanges(snapshot);
            Journal.restore(snapshot.slots); // has no hole
            taken++;
        }
        worker.get(30, TimeUnit.SECONDS);
        journal.saveChanges(snapshot);

        assertThat(snapshot.slots.values()).containsExactlyElementsOf(journal.calls());
        assertThat(journal.calls())
                .extracting(Call::completion)
                .as("each completion has its own place in the order")
                .doesNotHaveDuplicates();
    }
}
