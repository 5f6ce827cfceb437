package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The rules of {@link Journal}. */
class JournalTest {

    private static final String F = "shop.charge";
    private static final String G = "shop.refund";
    private static final String X = "00000000000000aa";
    private static final String Y = "00000000000000bb";
    private static final byte[] RESULT = {1, 2, 3};
    private static final byte[] ERROR = {9};

    private final Journal journal = new Journal();

    /** A keyed state: what it holds, and which operations brought it there. */
    private static final class SavedState implements Journal.Changes {
        private final TreeMap<Integer, Call> slots = new TreeMap<>();
        private final List<String> operations = new ArrayList<>();

        @Override
        public void put(int slot, Call call) {
            slots.put(slot, call);
            operations.add("put " + slot);
        }

        @Override
        public void remove(int slot) {
            slots.remove(slot);
            operations.add("remove " + slot);
        }
    }

    private final SavedState state = new SavedState();

    private List<String> save() throws Exception {
        state.operations.clear();
        journal.saveChanges(state);
        return new ArrayList<>(state.operations);
    }

    private static TreeMap<Integer, Call> saved(Journal journal) throws Exception {
        SavedState state = new SavedState();
        journal.saveChanges(state);
        return state.slots;
    }

    private static Object[] fields(Object... fields) {
        return fields;
    }

    @Nested
    class AtTheCursor {

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
                    .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null));

            journal.finalizeCurrentCall(F, X, RESULT, null);

            assertThat(journal.getCurrentCallResultFields()).isNull();
            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "SUCCEEDED", RESULT, null, 0, 1, null));
        }

        @Test
        void aCallWithAnExceptionIsFailed() {
            journal.appendPendingCall(F, X);
            journal.finalizeCurrentCall(F, X, null, ERROR);

            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "FAILED", null, ERROR, 0, 1, null));
        }

        @Test
        void aCallThatReturnsNothingSucceeds() {
            journal.recordCallCompletion(F, X, null, null);

            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "SUCCEEDED", null, null, 0, 1, null));
        }

        @Test
        void aRecordedCompletionMovesTheCursor() {
            journal.recordCallCompletion(F, X, RESULT, null);
            journal.recordCallCompletion(G, Y, null, ERROR);

            assertThat(journal.getCurrentCallResultFields()).isNull();
            assertThat(journal.getCallResultFieldsAt(1))
                    .containsExactly(fields(G, Y, "FAILED", null, ERROR, 1, 1, null));
        }

        @Test
        void aMatchAnswersAndMovesTheCursor() throws Exception {
            journal.recordCallCompletion(F, X, RESULT, null);
            journal.recordCallCompletion(G, Y, null, ERROR);
            Journal again = Journal.restore(saved(journal));

            assertThat(again.matchNextOrClearSubsequentCallResult(F, X))
                    .containsExactly(fields(true, RESULT, null));
            assertThat(again.matchNextOrClearSubsequentCallResult(G, Y))
                    .containsExactly(fields(true, null, ERROR));
            assertThat(again.matchNextOrClearSubsequentCallResult(F, X)).isNull();
            assertThat(again.size()).isEqualTo(2);
        }

        @Test
        void aMatchWithAnotherFunctionDropsTheTail() throws Exception {
            Journal again = Journal.restore(threeCalls());
            again.matchNextOrClearSubsequentCallResult(F, X);

            assertThat(again.matchNextOrClearSubsequentCallResult(F, Y)).isNull();
            assertThat(again.size()).isEqualTo(1);
            assertThat(again.getCallResultFieldsAt(0)).isNotNull();
        }

        @Test
        void aMatchWithOtherArgumentsDropsTheTail() throws Exception {
            Journal again = Journal.restore(threeCalls());

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
            Journal again = Journal.restore(threeCalls());
            again.matchNextOrClearSubsequentCallResult(F, X);

            again.clearCallResultsFromCurrentIndexAndPersist();

            assertThat(again.calls()).hasSize(1);
            assertThat(again.getCurrentCallResultFields()).isNull();
            again.appendPendingCall(G, X);
            assertThat(again.getCurrentCallResultFields())
                    .containsExactly(fields(G, X, "PENDING", null, null, -1, 1, null));
        }

        private TreeMap<Integer, Call> threeCalls() throws Exception {
            Journal three = new Journal();
            three.recordCallCompletion(F, X, RESULT, null);
            three.recordCallCompletion(G, Y, RESULT, null);
            three.recordCallCompletion(F, Y, RESULT, null);
            return saved(three);
        }
    }

    @Nested
    class Slots {

        @Test
        void aSlotBehindTheLastOneIsEmpty() {
            journal.appendPendingCallAt(0, F, X);

            assertThat(journal.getCallResultFieldsAt(1)).isNull();
            assertThat(journal.getCallResultFieldsAt(100)).isNull();
        }

        @Test
        void aSlotIsOnlyFilledBehindTheLastOne() {
            journal.appendPendingCallAt(0, F, X);

            assertThatThrownBy(() -> journal.appendPendingCallAt(2, G, Y))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage(
                            "shop.refund cannot be put in slot 2 of a journal of 1 calls: a slot"
                                    + " is only filled behind the last one.");
            assertThatThrownBy(() -> journal.recordCallCompletionAt(2, G, Y, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(journal.size()).isEqualTo(1);
        }

        @Test
        void aFilledSlotIsNotFilledAgain() {
            journal.appendPendingCallAt(0, F, X);

            assertThatThrownBy(() -> journal.appendPendingCallAt(0, F, X))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> journal.recordCallCompletionAt(0, F, X, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> journal.appendPendingCall(F, X))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null));
        }

        @Test
        void callsAreFinalizedInAnyOrderAndTheOrderIsKept() {
            journal.appendPendingCallAt(0, F, X);
            journal.appendPendingCallAt(1, G, X);
            journal.appendPendingCallAt(2, F, Y);

            journal.finalizeCallAt(2, F, Y, RESULT, null);
            journal.finalizeCallAt(0, F, X, null, ERROR);
            journal.finalizeCallAt(1, G, X, RESULT, null);

            assertThat(journal.calls()).extracting(Call::completion).containsExactly(1, 2, 0);
            assertThat(journal.calls())
                    .extracting(Call::status)
                    .containsExactly(CallStatus.FAILED, CallStatus.SUCCEEDED, CallStatus.SUCCEEDED);
        }

        @Test
        void slotMethodsLeaveTheCursorWhereItIs() {
            journal.appendPendingCallAt(0, F, X);
            journal.finalizeCallAt(0, F, X, RESULT, null);
            journal.recordCallCompletionAt(1, G, Y, RESULT, null);

            assertThat(journal.matchNextOrClearSubsequentCallResult(F, X)).isNotNull();
            assertThat(journal.matchNextOrClearSubsequentCallResult(G, Y)).isNotNull();
        }

        @Test
        void aTerminalSlotNeverChanges() {
            journal.appendPendingCallAt(0, F, X);
            journal.finalizeCallAt(0, F, X, RESULT, null);

            assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, null, ERROR))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage(
                            "Slot 0 cannot take the outcome of shop.charge(00000000000000aa): it"
                                    + " holds shop.charge(00000000000000aa) SUCCEEDED.");
            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "SUCCEEDED", RESULT, null, 0, 1, null));
        }

        @Test
        void aFailedSlotIsTerminalToo() {
            journal.appendPendingCallAt(0, F, X);
            journal.finalizeCallAt(0, F, X, null, ERROR);

            assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
        }

        @Test
        void finalizingNeedsThatIdentity() {
            journal.appendPendingCallAt(0, F, X);

            assertThatThrownBy(() -> journal.finalizeCallAt(0, F, Y, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> journal.finalizeCallAt(0, G, X, RESULT, null))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("it holds shop.charge(00000000000000aa) PENDING");
            assertThatThrownBy(() -> journal.finalizeCurrentCall(G, X, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(journal.getCurrentCallResultFields())
                    .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null));
        }

        @Test
        void finalizingNeedsASlot() {
            assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, RESULT, null))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("it holds nothing");
            assertThatThrownBy(() -> journal.finalizeCurrentCall(F, X, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
        }

        @Test
        void aResultForADroppedSlotIsRefusedAlsoWhenAnotherCallTookItsPlace() {
            journal.appendPendingCallAt(0, F, X);
            journal.appendPendingCallAt(1, F, Y);
            journal.clearCallResultsFrom(1);

            assertThatThrownBy(() -> journal.finalizeCallAt(1, F, Y, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
            journal.appendPendingCallAt(1, G, Y);
            assertThatThrownBy(() -> journal.finalizeCallAt(1, F, Y, RESULT, null))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(journal.calls().get(1).status()).isEqualTo(CallStatus.PENDING);
        }

        @Test
        void aRefusedCallLeavesNothingToSave() throws Exception {
            journal.recordCallCompletion(F, X, RESULT, null);
            save();

            assertThatThrownBy(() -> journal.appendPendingCallAt(0, G, Y))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> journal.finalizeCallAt(0, F, X, null, ERROR))
                    .isInstanceOf(IllegalStateException.class);

            assertThat(journal.hasChanges()).isFalse();
            assertThat(save()).isEmpty();
        }
    }

    @Nested
    class Attempts {

        @Test
        void aCallThatIsAnnouncedIsInItsFirstAttemptAndNotScheduled() {
            journal.appendPendingCallAt(0, F, X);

            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null));
        }

        @Test
        void aPendingCallIsScheduledAndThenStartedAgain() {
            journal.appendPendingCallAt(0, F, X);

            journal.scheduleCallAt(0, F, X, 2, 5_000);
            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "PENDING", null, null, -1, 2, 5_000L));

            journal.startAttemptAt(0, F, X, 2);
            assertThat(journal.getCallResultFieldsAt(0))
                    .as("in doubt from now on")
                    .containsExactly(fields(F, X, "PENDING", null, null, -1, 2, null));
        }

        @Test
        void aCallMayBeScheduledInTheSlotBehindTheLast() {
            journal.recordCallCompletionAt(0, F, X, RESULT, null);

            journal.scheduleCallAt(1, G, Y, 1, 0);

            assertThat(journal.getCallResultFieldsAt(1))
                    .containsExactly(fields(G, Y, "PENDING", null, null, -1, 1, 0L));
        }

        @Test
        void anOutcomeKeepsTheAttemptAndDropsTheTime() {
            journal.scheduleCallAt(0, F, X, 3, 5_000);
            journal.finalizeCallAt(0, F, X, RESULT, null);

            assertThat(journal.getCallResultFieldsAt(0))
                    .containsExactly(fields(F, X, "SUCCEEDED", RESULT, null, 0, 3, null));
        }

        @Test
        void aCallIsStartedAgainOnlyWhereItsOwnPendingStands() {
            journal.recordCallCompletionAt(0, F, X, RESULT, null);
            journal.appendPendingCallAt(1, F, X);

            assertThatThrownBy(() -> journal.startAttemptAt(0, F, X, 2))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage(
                            "Slot 0 cannot take attempt 2 of shop.charge(00000000000000aa): it"
                                    + " holds shop.charge(00000000000000aa) SUCCEEDED.");
            assertThatThrownBy(() -> journal.startAttemptAt(1, G, X, 2))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> journal.startAttemptAt(1, F, Y, 2))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> journal.startAttemptAt(2, F, X, 2))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageEndingWith("it holds nothing.");
        }

        @Test
        void aCallIsScheduledOnlyWhereItsOwnPendingStandsOrBehindTheLast() {
            journal.recordCallCompletionAt(0, F, X, RESULT, null);
            journal.appendPendingCallAt(1, F, X);

            for (int slot : new int[] {0, 3}) {
                assertThatThrownBy(() -> journal.scheduleCallAt(slot, F, X, 2, 1))
                        .isInstanceOf(IllegalStateException.class);
            }
            assertThatThrownBy(() -> journal.scheduleCallAt(1, G, X, 2, 1))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(journal.size()).isEqualTo(2);
        }

        @Test
        void aTimeBeforeTheEpochIsRefused() {
            assertThatThrownBy(() -> journal.scheduleCallAt(0, F, X, 1, -1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("shop.charge cannot be scheduled for -1");
            assertThat(journal.size()).isZero();
        }

        @Test
        void aSnapshotWritesASlotThatWasScheduledOrStartedAgain() throws Exception {
            journal.appendPendingCallAt(0, F, X);
            save();

            journal.scheduleCallAt(0, F, X, 2, 5_000);
            assertThat(save()).containsExactly("put 0");
            journal.startAttemptAt(0, F, X, 2);
            assertThat(save()).containsExactly("put 0");
        }
    }

    @Nested
    class Snapshots {

        @Test
        void anUntouchedJournalHasNothingToSave() throws Exception {
            assertThat(journal.hasChanges()).isFalse();
            assertThat(save()).isEmpty();
            assertThat(journal.savedSize()).isZero();
        }

        @Test
        void onlyWhatChangedSinceTheLastSnapshotIsWritten() throws Exception {
            journal.appendPendingCallAt(0, F, X);
            journal.appendPendingCallAt(1, G, X);
            assertThat(journal.hasChanges()).isTrue();
            assertThat(save()).containsExactly("put 0", "put 1");
            assertThat(journal.hasChanges()).isFalse();
            assertThat(save()).isEmpty();

            journal.finalizeCallAt(1, G, X, RESULT, null);
            journal.appendPendingCallAt(2, F, Y);

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
            journal.appendPendingCallAt(1, G, Y);

            assertThat(save()).containsExactly("put 1", "remove 2");
            assertThat(state.slots.values()).containsExactlyElementsOf(journal.calls());
        }

        @Test
        void aSlotThatCameAndWentBetweenTwoSnapshotsIsNeverWritten() throws Exception {
            journal.recordCallCompletion(F, X, RESULT, null);
            journal.appendPendingCallAt(1, G, X);
            journal.appendPendingCallAt(2, G, Y);
            journal.clearCallResultsFrom(1);

            assertThat(save()).containsExactly("put 0");
        }

        @Test
        void aSnapshotKeepsTheCallThatItWasGiven() throws Exception {
            journal.appendPendingCallAt(0, F, X);
            save();

            journal.finalizeCallAt(0, F, X, RESULT, null);

            assertThat(state.slots.get(0).status()).isEqualTo(CallStatus.PENDING);
        }

        @Test
        void aRestoredJournalStartsAtTheFirstSlotWithNothingToSave() throws Exception {
            journal.recordCallCompletion(F, X, RESULT, null);
            journal.appendPendingCall(G, Y);

            Journal again = Journal.restore(saved(journal));

            assertThat(again.getCurrentCallResultFields())
                    .containsExactly(fields(F, X, "SUCCEEDED", RESULT, null, 0, 1, null));
            assertThat(again.calls()).isEqualTo(journal.calls());
            assertThat(again.hasChanges()).isFalse();
            assertThat(again.savedSize()).isEqualTo(2);
        }

        @Test
        void theOrderOfCompletionsGoesOnAfterARestore() throws Exception {
            journal.appendPendingCallAt(0, F, X);
            journal.appendPendingCallAt(1, G, X);
            journal.appendPendingCallAt(2, F, Y);
            journal.finalizeCallAt(1, G, X, RESULT, null);
            journal.finalizeCallAt(2, F, Y, RESULT, null);

            Journal again = Journal.restore(saved(journal));
            again.finalizeCallAt(0, F, X, RESULT, null);
            again.recordCallCompletionAt(3, G, Y, RESULT, null);

            assertThat(again.calls()).extracting(Call::completion).containsExactly(2, 0, 1, 3);
        }

        @Test
        void droppedSlotsOfARestoredJournalAreRemovedFromTheState() throws Exception {
            journal.recordCallCompletion(F, X, RESULT, null);
            journal.recordCallCompletion(G, X, RESULT, null);
            Journal again = Journal.restore(saved(journal));

            again.matchNextOrClearSubsequentCallResult(G, X);
            SavedState changes = new SavedState();
            again.saveChanges(changes);

            assertThat(changes.operations).containsExactly("remove 0", "remove 1");
        }

        @Test
        void anEmptyStateIsAnEmptyJournal() {
            Journal again = Journal.restore(new TreeMap<>());

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
    }

    @Test
    void aCallShowsItsIdentityAndNeverItsPayload() {
        Call call = Call.completed(F, X, "secret".getBytes(), null, 0, 1);

        assertThat(call).hasToString("shop.charge(00000000000000aa) SUCCEEDED");
    }

    @Test
    void aWorkerMayWriteWhileSnapshotsAreTaken() throws Exception {
        int rounds = 20_000;
        CompletableFuture<Void> worker =
                CompletableFuture.runAsync(
                        () -> {
                            for (int i = 0; i < rounds; i++) {
                                int slot = journal.size();
                                journal.appendPendingCallAt(slot, F, X);
                                journal.finalizeCallAt(slot, F, X, RESULT, null);
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
