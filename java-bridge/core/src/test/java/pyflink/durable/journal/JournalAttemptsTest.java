package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** A pending call is scheduled and started again. */
class JournalAttemptsTest extends JournalFixture {

    @Test
    void aCallThatIsAnnouncedIsInItsFirstAttemptAndNotScheduled() {
        journal.appendPendingCallAt(0, F, X, false);

        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "PENDING", null, null, -1, 1, null, null, null, 0));
    }

    @Test
    void aPendingCallIsScheduledAndThenStartedAgain() {
        journal.appendPendingCallAt(0, F, X, false);

        journal.scheduleCallAt(0, F, X, 2, 5_000, false);
        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "PENDING", null, null, -1, 2, 5_000L, null, null, 0));

        journal.startAttemptAt(0, F, X, 2);
        assertThat(journal.getCallResultFieldsAt(0))
                .as("in doubt from now on")
                .containsExactly(fields(F, X, "PENDING", null, null, -1, 2, null, null, null, 0));
    }

    @Test
    void aCallMayBeScheduledInTheSlotBehindTheLast() {
        journal.recordCallCompletionAt(0, F, X, RESULT, null, T, false);

        journal.scheduleCallAt(1, G, Y, 1, 0, false);

        assertThat(journal.getCallResultFieldsAt(1))
                .containsExactly(fields(G, Y, "PENDING", null, null, -1, 1, 0L, null, null, 0));
    }

    @Test
    void anOutcomeKeepsTheAttemptAndDropsTheTime() {
        journal.scheduleCallAt(0, F, X, 3, 5_000, false);
        journal.finalizeCallAt(0, F, X, RESULT, null, T);

        assertThat(journal.getCallResultFieldsAt(0))
                .containsExactly(fields(F, X, "SUCCEEDED", RESULT, null, 0, 3, null, T, null, 0));
    }

    @Test
    void aCallIsStartedAgainOnlyWhereItsOwnPendingStands() {
        journal.recordCallCompletionAt(0, F, X, RESULT, null, T, false);
        journal.appendPendingCallAt(1, F, X, false);

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
        journal.recordCallCompletionAt(0, F, X, RESULT, null, T, false);
        journal.appendPendingCallAt(1, F, X, false);

        for (int slot : new int[] {0, 3}) {
            assertThatThrownBy(() -> journal.scheduleCallAt(slot, F, X, 2, 1, false))
                    .isInstanceOf(IllegalStateException.class);
        }
        assertThatThrownBy(() -> journal.scheduleCallAt(1, G, X, 2, 1, false))
                .isInstanceOf(IllegalStateException.class);
        assertThat(journal.size()).isEqualTo(2);
    }

    @Test
    void aTimeBeforeTheEpochIsRefused() {
        assertThatThrownBy(() -> journal.scheduleCallAt(0, F, X, 1, -1, false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("shop.charge cannot be scheduled for -1");
        assertThat(journal.size()).isZero();
    }

    @Test
    void aSnapshotWritesASlotThatWasScheduledOrStartedAgain() throws Exception {
        journal.appendPendingCallAt(0, F, X, false);
        save();

        journal.scheduleCallAt(0, F, X, 2, 5_000, false);
        assertThat(save()).containsExactly("put 0");
        journal.startAttemptAt(0, F, X, 2);
        assertThat(save()).containsExactly("put 0");
    }
}
