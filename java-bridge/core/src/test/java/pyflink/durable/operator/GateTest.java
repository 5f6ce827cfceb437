package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** When a call that waits for a checkpoint is released, and what may run meanwhile. */
@Timeout(60)
class GateTest {

    static Stream<SavepointType> savepoints() {
        return Stream.of(
                SavepointType.savepoint(SavepointFormatType.CANONICAL),
                SavepointType.suspend(SavepointFormatType.CANONICAL),
                SavepointType.terminate(SavepointFormatType.NATIVE));
    }

    @Nested
    class Release {

        @Test
        void aCallIsReleasedWhenTheCheckpointThatHoldsItsSlotHasCompleted() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                harness.runMails();

                long checkpoint = harness.checkpoint();
                harness.runMails();
                assertThat(harness.operator.takeReleases()).isEmpty();

                harness.complete(checkpoint);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).as("once").isEmpty();
            }
        }

        @Test
        void aFailoverFindsEveryReleasedCallInDoubt() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                long checkpoint = harness.checkpoint();
                harness.complete(checkpoint);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");

                try (DurableHarness<String> after =
                        DurableHarness.setup().open(harness.snapshotOf(checkpoint))) {
                    after.runMails();
                    assertThat(after.operator.handler("a:1").journal())
                            .containsExactly("charge PENDING");
                }
            }
        }

        @Test
        void aCallThatIsAnnouncedWithAStepWaitsToo() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.operator.onStart(handler -> handler.callGatedInStep(0, "charge"));
                harness.send("a", "1");
                assertThat(harness.operator.engine().atGate()).isEqualTo(1);

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                assertThat(harness.operator.engine().atGate()).isZero();
            }
        }

        @Test
        void aCallThatCameAfterTheSnapshotWaitsForTheNextCheckpoint() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                long first = harness.checkpoint();
                harness.operator.handler("b:1").callGated(0, "charge");

                harness.complete(first);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("b:1 0");
            }
        }

        @Test
        void callsOfABatchAreReleasedTogetherInOrder() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                for (int slot = 0; slot < 5; slot++) {
                    harness.operator.handler("a:1").callGated(slot, "charge");
                }
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases())
                        .containsExactly("a:1 0", "a:1 1", "a:1 2", "a:1 3", "a:1 4");
            }
        }

        @Test
        void overlappingCheckpointsEachReleaseTheirOwn() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                long first = harness.checkpoint();
                harness.operator.handler("b:1").callGated(0, "charge");
                long second = harness.checkpoint();

                harness.complete(first);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                harness.complete(second);
                assertThat(harness.operator.takeReleases()).containsExactly("b:1 0");
            }
        }

        @Test
        void anAbortedCheckpointReleasesNothingAndTheNextOneReleasesAll() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                harness.operator.notifyCheckpointAborted(harness.checkpoint());
                harness.runMails();
                assertThat(harness.operator.takeReleases()).isEmpty();

                harness.operator.handler("b:1").callGated(0, "charge");
                long next = harness.checkpoint();
                harness.complete(next);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0", "b:1 0");
                assertThat(journalsIn(harness, next)).hasSize(2);
            }
        }

        @Test
        void aLostNotificationIsMadeUpForByTheNext() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                harness.checkpoint();

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
            }
        }

        @Test
        void aCheckpointThatThisAttemptDidNotTakeReleasesNothing() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                long taken = harness.checkpoint();

                harness.complete(taken - 1);
                harness.complete(taken + 1);
                assertThat(harness.operator.takeReleases()).isEmpty();
            }
        }

        /**
         * Flink tells of the last two; a failover goes back to the last checkpoint all the same.
         */
        @ParameterizedTest
        @MethodSource("pyflink.durable.operator.GateTest#savepoints")
        void aSavepointReleasesNothingEvenIfItsCompletionIsTold(SavepointType type)
                throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                harness.checkpoint(); // has not completed
                harness.operator.handler("a:1").callGated(1, "notify");

                harness.complete(harness.savepoint(type));
                assertThat(harness.operator.takeReleases()).isEmpty();

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0", "a:1 1");
            }
        }
    }

    @Nested
    class WorkerThreads {

        @Test
        void aCallThatWasPutInTheQueueBeforeTheSnapshotBelongsToIt() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge"); // no mail has run since

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
            }
        }

        @Test
        void aSnapshotBetweenTheWriteAndTheEntryDoesNotCoverTheCall() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                handler.call(0, "charge");
                long first = harness.checkpoint();
                handler.enterGate(0);

                harness.complete(first);
                assertThat(harness.operator.takeReleases()).isEmpty();
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
            }
        }

        @Test
        void aCallMadeWhileTheJournalsAreSavedWaitsForTheNextCheckpoint() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.checkpoint(); // the journal of a:1 has nothing more to save
                HarnessOperator<String>.Handler late = harness.operator.handler("a:1");
                harness.operator.handler("b:1").callGated(0, "charge");
                harness.operator
                        .accesses()
                        .before("durable-journal.put", () -> late.callGated(0, "charge"));

                long checkpoint = harness.checkpoint();
                harness.complete(checkpoint);

                assertThat(harness.operator.takeReleases()).containsExactly("b:1 0");
                assertThat(journalsIn(harness, checkpoint)).containsExactly("b:1 charge PENDING");
            }
        }

        @Test
        void whateverWorkersDoAReleasedCallIsInItsCheckpoint() throws Exception {
            int keys = 50;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                for (int i = 0; i < keys; i++) {
                    harness.send("key" + i, "1");
                }
                List<HarnessOperator<String>.Handler> handlers = harness.operator.running();
                List<String> released = new ArrayList<>();
                for (int round = 0; round < 20; round++) {
                    int slot = round;
                    CountDownLatch begun = new CountDownLatch(1);
                    Thread worker =
                            new Thread(
                                    () -> {
                                        for (int i = 0; i < keys; i++) {
                                            handlers.get(i).callGated(slot, "call" + slot);
                                            if (i == keys / 4) {
                                                begun.countDown();
                                            }
                                        }
                                    });
                    worker.start();
                    assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();
                    long checkpoint = harness.checkpoint();
                    harness.complete(checkpoint);
                    worker.join();

                    List<String> covered = journalsIn(harness, checkpoint);
                    for (String release : harness.operator.takeReleases()) {
                        String[] nameAndSlot = release.split(" ");
                        assertThat(covered)
                                .contains(nameAndSlot[0] + " call" + nameAndSlot[1] + " PENDING");
                        released.add(release);
                    }
                }
                harness.complete(harness.checkpoint());
                released.addAll(harness.operator.takeReleases());
                assertThat(released).hasSize(20 * keys).doesNotHaveDuplicates();
            }
        }
    }

    @Nested
    class Leaving {

        @Test
        void anInvocationThatEndsTakesItsCallsAlong() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 10).open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                harness.runMails();
                long checkpoint = harness.checkpoint();

                harness.end("a:1");
                assertThat(harness.operator.engine().atGate()).isZero();
                harness.complete(checkpoint);
                assertThat(harness.operator.takeReleases()).isEmpty();
                assertThat(harness.operator.scheduler().runningCount()).isZero();
                assertThat(harness.operator.scheduler().waitingCount()).isZero();
            }
        }

        @Test
        void anInvocationThatEndsWhileItWaitsForAPlaceDoesNotTakeOne() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 10).open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").callGated(0, "charge");
                harness.runMails();
                harness.send("b", "1"); // has the place
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).isEmpty();

                harness.end("a:1");
                harness.end("b:1");
                assertThat(harness.operator.takeReleases()).isEmpty();
                assertThat(harness.operator.scheduler().runningCount()).isZero();
            }
        }

        @Test
        void aCallPutInTheQueueByAnInvocationThatThenEndsIsForgotten() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                handler.call(0, "charge");
                harness.end("a:1");
                handler.enterGate(0); // the worker was between the write and the entry

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.engine().atGate()).isZero();
                assertThat(harness.operator.scheduler().waitingCount()).isZero();
            }
        }

        @Test
        void aCallWhoseOutcomeIsWrittenMeanwhileLeaves() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                handler.callGated(0, "charge");
                harness.runMails();
                long checkpoint = harness.checkpoint();
                handler.fail(0, "charge", "timed out");
                harness.operator.bridge().wake();

                harness.complete(checkpoint);
                assertThat(harness.operator.takeReleases()).isEmpty();
                assertThat(harness.operator.scheduler().runningCount())
                        .as("it has its place again")
                        .isEqualTo(1);
            }
        }

        @Test
        void callsOfADroppedTailLeaveAndTheirSlotsCanBeFilledAnew() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                handler.callGated(0, "charge");
                handler.callGated(1, "notify");
                handler.callGated(2, "ship");
                harness.runMails();
                long checkpoint = harness.checkpoint();
                harness.operator.bridge().clearCallResultsFrom(handler.id(), 1);
                handler.callGated(1, "refund");

                harness.complete(checkpoint);
                assertThat(harness.operator.takeReleases())
                        .as("the checkpoint has another call in slot 1")
                        .containsExactly("a:1 0");
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 1");
            }
        }

        @Test
        void anAttemptThatStartsAgainWaitsForACheckpointOfItsOwn() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                handler.callGated(0, "charge");
                long first = harness.checkpoint();
                handler.startAttemptGated(0, "charge", 2);

                harness.complete(first);
                assertThat(harness.operator.takeReleases()).isEmpty();
                long second = harness.checkpoint();
                harness.complete(second);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                assertThat(journalsIn(harness, second))
                        .containsExactly("a:1 charge PENDING attempt 2");
            }
        }
    }

    @Nested
    class Places {

        @Test
        void anInvocationAtTheGateGivesItsPlaceAway() throws Exception {
            try (DurableHarness<String> harness = gated(2, 100, "a", "b", "c", "d", "e")) {
                assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1", "d:1", "e:1");
                assertThat(harness.operator.scheduler().runningCount()).isZero();
                assertThat(harness.operator.scheduler().waitingCount()).isEqualTo(5);
                assertThat(harness.operator.engine().atGate()).isEqualTo(5);
            }
        }

        @Test
        void releasedInvocationsGoOnInOrderAsThereArePlaces() throws Exception {
            try (DurableHarness<String> harness = gated(2, 100, "a", "b", "c", "d", "e")) {
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0", "b:1 0");
                assertThat(harness.operator.scheduler().runningCount()).isEqualTo(2);

                harness.end("b:1");
                assertThat(harness.operator.takeReleases()).containsExactly("c:1 0");
                harness.end("a:1");
                harness.end("c:1");
                assertThat(harness.operator.takeReleases()).containsExactly("d:1 0", "e:1 0");
                assertThat(harness.operator.scheduler().runningCount()).isEqualTo(2);
            }
        }

        @Test
        void releasedInvocationsGoOnBeforeNewOnesStart() throws Exception {
            try (DurableHarness<String> harness = gated(1, 100, "a", "b")) {
                harness.operator.onStart(handler -> {});
                harness.send("c", "1"); // takes the place
                harness.send("d", "1");
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).isEmpty();

                harness.end("c:1");
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                harness.end("a:1");
                assertThat(harness.operator.takeReleases()).containsExactly("b:1 0");
                assertThat(harness.started()).doesNotContain("d:1");
                harness.end("b:1");
                assertThat(harness.started()).contains("d:1");
            }
        }

        @Test
        void aReleasedInvocationThatComesToTheGateAgainMakesRoomForTheNext() throws Exception {
            try (DurableHarness<String> harness = gated(1, 100, "a", "b", "c")) {
                harness.operator.onRelease(handler -> handler.callGatedInStep(1, "notify"));
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases())
                        .containsExactly("a:1 0", "b:1 0", "c:1 0");
                assertThat(harness.operator.engine().atGate()).isEqualTo(3);
            }
        }

        /** A place that waits for a checkpoint could keep the operator full. */
        @Test
        void anInvocationWithAnotherCallAtTheGateNeedsNoPlaceForItsReleasedOne() throws Exception {
            try (DurableHarness<String> harness = gated(1, 100, "a")) {
                harness.operator.onStart(handler -> {});
                harness.send("b", "1"); // has the place
                long checkpoint = harness.checkpoint();
                harness.operator.handler("a:1").callGated(1, "notify");

                harness.complete(checkpoint);
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                assertThat(harness.operator.scheduler().runningCount()).isEqualTo(1);

                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).as("no place").isEmpty();
                harness.end("b:1");
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 1");
            }
        }

        @Test
        void aReleasedInvocationThatWaitsForAPlaceAndComesToTheGateAgainGoesOn() throws Exception {
            try (DurableHarness<String> harness = gated(1, 100, "a")) {
                harness.operator.onStart(handler -> {});
                harness.send("b", "1"); // has the place
                harness.complete(harness.checkpoint());
                assertThat(harness.operator.takeReleases()).isEmpty();

                harness.operator.handler("a:1").callGated(1, "notify");
                harness.runMails();
                assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
                assertThat(harness.operator.scheduler().runningCount()).isEqualTo(1);
            }
        }

        private DurableHarness<String> gated(int maxInFlight, int maxPending, String... keys)
                throws Exception {
            DurableHarness<String> harness =
                    DurableHarness.setup().limits(maxInFlight, maxPending).open();
            harness.operator.onStart(handler -> handler.callGatedInStep(0, "charge"));
            for (String key : keys) {
                harness.send(key, "1");
            }
            return harness;
        }
    }

    @Nested
    class Refusals {

        @Test
        void withoutCheckpointsACallCannotWaitForOne() throws Exception {
            try (DurableHarness<String> harness =
                    DurableHarness.setup().checkpoints(0, 1_000).open()) {
                harness.send("a", "1");
                assertThatThrownBy(() -> harness.operator.handler("a:1").callGated(0, "charge"))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage(
                                "Operator durable, key a: charge(digest) PENDING waits for a"
                                        + " checkpoint, and the job takes none. Turn them on with"
                                        + " env.enable_checkpointing(milliseconds).");
            }
        }

        @Test
        void withoutACallLogACallCannotWaitForIt() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                long id = harness.operator.handler("a:1").id();
                assertThatThrownBy(
                                () ->
                                        harness.operator
                                                .bridge()
                                                .appendPendingCallAt(id, 0, "charge", "d", "LOG"))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("key a: charge(d) PENDING waits for the call log")
                        .hasMessageContaining("durability=\"gated\"");
            }
        }

        @Test
        void anUnknownHoldIsRefused() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                long id = harness.operator.handler("a:1").id();
                assertThatThrownBy(
                                () ->
                                        harness.operator
                                                .bridge()
                                                .appendPendingCallAt(id, 0, "f", "d", "LUNCH"))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("There is no hold LUNCH");
            }
        }
    }

    /** The calls in the journals that a failover to a checkpoint restores. */
    private static List<String> journalsIn(DurableHarness<String> harness, long checkpoint)
            throws Exception {
        List<String> calls = new ArrayList<>();
        try (DurableHarness<String> after =
                DurableHarness.setup().open(harness.snapshotOf(checkpoint))) {
            after.runMails();
            for (HarnessOperator<String>.Handler handler : after.operator.running()) {
                handler.journal().forEach(call -> calls.add(handler + " " + call));
            }
        }
        return calls;
    }
}
