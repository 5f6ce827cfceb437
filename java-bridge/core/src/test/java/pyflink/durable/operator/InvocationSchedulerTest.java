package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which invocation runs when, how many there may be, and what of them reaches the keyed state. */
@Timeout(60)
class InvocationSchedulerTest {

    @Nested
    class Order {

        @Test
        void oneInvocationOfAKeyRunsAtATimeInOrderOfArrival() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                harness.send("a", "3");
                assertThat(harness.started()).containsExactly("a:1");

                harness.end("a:1");
                assertThat(harness.started()).containsExactly("a:1", "a:2");

                harness.end("a:2");
                harness.end("a:3");
                assertThat(harness.outputs()).containsExactly("a:1", "a:2", "a:3");
            }
        }

        @Test
        void differentKeysRunAtTheSameTimeAndEndInAnyOrder() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.send("c", "1");
                assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1");

                harness.end("c:1");
                harness.end("a:1");
                harness.end("b:1");
                assertThat(harness.outputs()).containsExactly("c:1", "a:1", "b:1");
            }
        }

        @Test
        void noMoreThanMaxInFlightRun() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(2, 100).open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.send("c", "1");
                harness.send("d", "1");
                assertThat(harness.started()).containsExactly("a:1", "b:1");
                assertThat(harness.operator.scheduler().runningCount()).isEqualTo(2);
                assertThat(harness.operator.scheduler().waitingCount()).isEqualTo(2);

                harness.end("b:1");
                assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1");
                assertThat(harness.operator.running()).hasSize(2);
            }
        }

        @Test
        void aKeyWithManyInputsDoesNotKeepOthersFromRunning() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 100).open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                harness.send("a", "3");
                harness.send("b", "1");
                harness.send("c", "1");

                harness.endAll();

                assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1", "a:2", "a:3");
            }
        }

        @Test
        void aHandlerThatEndsAtOnceMakesRoomForTheNext() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 100).open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                harness.send("b", "1");
                harness.operator.onStart(HarnessOperator.Handler::end);

                harness.end("a:1");

                assertThat(harness.outputs()).containsExactly("a:1", "b:1", "a:2");
            }
        }

        @Test
        void aHandlerSeesTheTimestampOfItsInputAndItsOutputsCarryIt() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1", 7);
                harness.send("b", "1");
                assertThat(harness.operator.handler("a:1").timestamp()).isEqualTo(7L);
                assertThat(harness.operator.handler("b:1").timestamp()).isNull();

                harness.end("a:1");
                harness.end("b:1");
                assertThat(harness.flink.getOutput())
                        .containsExactly(new StreamRecord<>("a:1", 7), new StreamRecord<>("b:1"));
            }
        }

        @Test
        void anInvocationThatHasEndedIsNotKnownAnyMore() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                long id = harness.operator.handler("a:1").id();
                harness.end("a:1");

                assertThatThrownBy(() -> harness.operator.scheduler().running(id))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("Invocation 0 is not running: it has ended, or never started.");
            }
        }

        @Test
        void withObjectReuseAnInputIsCopiedAsItIsKept() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().objectReuse().open()) {
                Row reused = Row.of("a", "1");
                harness.flink.processElement(new StreamRecord<>(reused));
                reused.setField(1, "2");
                harness.flink.processElement(new StreamRecord<>(reused));
                reused.setField(1, "3");

                harness.endAll();
                assertThat(harness.outputs()).containsExactly("a:1", "a:2");
            }
        }
    }

    @Nested
    class Capacity {

        @Test
        void anElementIsAcceptedBeforeTheOperatorWaitsForRoom() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 2).open()) {
                harness.runMails();
                harness.send("a", "1");
                harness.send("b", "1");
                List<Integer> waiting = new ArrayList<>();
                harness.operator
                        .mailbox()
                        .execute(
                                () -> {
                                    waiting.add(harness.operator.scheduler().waitingCount());
                                    harness.operator.handler("a:1").end();
                                },
                                "runs during the wait");

                harness.send("c", "1");

                assertThat(waiting).containsExactly(2);
                assertThat(harness.outputs()).containsExactly("a:1");
                assertThat(harness.started()).containsExactly("a:1", "b:1");
            }
        }

        @Test
        void theOperatorWaitsUntilThereIsRoom() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 1).open()) {
                harness.runMails();
                harness.send("a", "1");
                CountDownLatch waits = new CountDownLatch(1);
                HarnessOperator<String>.Handler first = harness.operator.handler("a:1");
                harness.operator.mailbox().execute(waits::countDown, "the operator waits");
                Thread outside =
                        new Thread(
                                () -> {
                                    await(waits);
                                    first.end();
                                });
                outside.start();

                harness.send("b", "1"); // returns only when a:1 has ended

                outside.join();
                assertThat(harness.outputs()).containsExactly("a:1");
                assertThat(harness.operator.scheduler().isFull()).isFalse();
            }
        }

        @Test
        void runningInvocationsDoNotCountAgainstMaxPending() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(10, 1).open()) {
                for (int i = 0; i < 10; i++) {
                    harness.send("key" + i, "1");
                    assertThat(harness.operator.scheduler().isFull()).isFalse();
                }
                assertThat(harness.operator.running()).hasSize(10);
            }
        }

        @Test
        void inputsThatWaitForTheirKeyCountAgainstMaxPending() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(10, 2).open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                assertThat(harness.operator.scheduler().isFull()).isFalse();

                harness.runMails();
                harness.operator
                        .mailbox()
                        .execute(() -> harness.operator.handler("a:1").end(), "makes room");
                harness.send("a", "3");
                assertThat(harness.started()).containsExactly("a:1", "a:2");
            }
        }

        @Test
        void endOfInputWaitsForWhatIsInFlight() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(2, 100).open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                harness.send("b", "1");
                harness.operator.onStart(HarnessOperator.Handler::end);
                HarnessOperator<String>.Handler a = harness.operator.handler("a:1");
                HarnessOperator<String>.Handler b = harness.operator.handler("b:1");
                Thread outside =
                        new Thread(
                                () -> {
                                    a.end();
                                    b.end();
                                });
                outside.start();

                harness.flink.endInput();

                outside.join();
                assertThat(harness.outputs()).containsExactlyInAnyOrder("a:1", "a:2", "b:1");
                assertThat(harness.outputs()).containsSubsequence("a:1", "a:2");
                assertThat(harness.operator.scheduler().hasInFlight()).isFalse();
            }
        }

        @Test
        void endOfInputRunsWhatWasRestored() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.operator.onStart(HarnessOperator.Handler::end);

                harness.flink.endInput();

                assertThat(harness.outputs()).containsExactly("a:1", "a:2");
            }
        }

        private void await(CountDownLatch latch) {
            try {
                assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Nested
    class WakeUp {

        @Test
        void oneMailServesManyCompletions() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                for (int i = 0; i < 100; i++) {
                    harness.send("key" + i, "1");
                }
                harness.runMails();

                harness.operator.running().forEach(HarnessOperator.Handler::end);

                assertThat(harness.flink.getTaskMailbox().size()).isEqualTo(1);
                harness.runMails();
                assertThat(harness.outputs()).hasSize(100);
            }
        }

        @Test
        void aCompletionThatArrivesWhileHandlersAreResumedIsNotLost() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 10).open()) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.operator.onStart(
                        handler -> {
                            handler.end();
                            harness.operator.bridge().wake();
                        });

                harness.end("a:1");

                assertThat(harness.outputs()).containsExactly("a:1", "b:1");
            }
        }

        @Test
        void aWakeUpCanBeSetForATime() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().limits(1, 10).open()) {
                List<String> mails = new ArrayList<>();
                harness.send("a", "1");
                harness.send("b", "1");
                harness.operator.bridge().wakeAt(1_000);
                harness.operator.onStart(handler -> mails.add(handler.toString()));
                harness.runMails();
                // as if the host's loop ended the handler at that time, with no other wake-up
                harness.operator.handler("a:1").endWithoutWake();

                harness.flink.setProcessingTime(999);
                harness.runMails();
                assertThat(harness.outputs()).isEmpty();

                harness.flink.setProcessingTime(1_000);
                harness.runMails();
                assertThat(harness.outputs()).containsExactly("a:1");
                assertThat(mails).containsExactly("b:1");
            }
        }

        @Test
        void afterTheCloseAWakeUpDoesNothing() throws Exception {
            DurableHarness<String> harness = DurableHarness.setup().open();
            harness.send("a", "1");
            HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
            DurableBridge bridge = harness.operator.bridge();
            harness.runMails();
            harness.close();

            handler.end();
            bridge.wake();

            assertThat(harness.flink.getTaskMailbox().drain())
                    .extracting(Object::toString)
                    .doesNotContain("resume handlers");
            assertThat(harness.outputs()).isEmpty();
        }
    }

    @Nested
    class WhatReachesTheState {

        @Test
        void callsOfTheStepThatStartsAHandlerAreInTheNextSnapshot() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.operator.onStart(
                        handler -> {
                            handler.callInStep(0, "f");
                            handler.callInStep(1, "g");
                        });
                harness.send("a", "1");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.runMails();
                assertThat(harness.operator.handler("a:1").journal())
                        .containsExactly("f PENDING", "g PENDING");
            }
        }

        @Test
        void whatStartsAndEndsBetweenTwoSnapshotsLeavesOnlyTheSequenceOfItsKey() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.operator.accesses().take();
                for (int i = 0; i < 10; i++) {
                    harness.send("a", "" + i);
                    HarnessOperator<String>.Handler handler = harness.operator.running().get(0);
                    handler.call(0, "f");
                    handler.succeed(0, "f", "r");
                    handler.end();
                    harness.runMails();
                }
                assertThat(harness.operator.accesses().take())
                        .as("before the snapshot: one look at the sequence of a new key")
                        .isEqualTo(Map.of("durable-sequence.value", 1));
                assertThat(harness.stateEntries()).isZero();

                harness.snapshot();

                assertThat(harness.operator.accesses().take())
                        .isEqualTo(Map.of("durable-sequence.update", 1));
                assertThat(harness.stateEntries()).isEqualTo(1);
            }
        }

        @Test
        void aSnapshotForgetsTheKeysThatAreIdle() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.operator.onStart(HarnessOperator.Handler::end);
                harness.send("a", "1");
                harness.snapshot();
                harness.operator.accesses().take();

                harness.send("a", "2");

                assertThat(harness.operator.accesses().take())
                        .as("the sequence is looked up again, so it was not kept in memory")
                        .isEqualTo(Map.of("durable-sequence.value", 1));
            }
        }

        @Test
        void aKeyThatWasIdleAtASnapshotAndIsInFlightAtTheNextStaysInOrder() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.end("a:1");
                harness.snapshot();
                harness.send("a", "2");
                harness.snapshot();

                harness.send("a", "3");

                assertThat(harness.operator.running()).hasToString("[a:2]");
                harness.endAll();
                assertThat(harness.outputs()).containsExactly("a:1", "a:2", "a:3");
            }
        }

        @Test
        void aSnapshotWritesInputsAndCallsThatAreInFlight() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.send("a", "1");
                harness.send("a", "2");
                harness.send("b", "1");
                harness.operator.handler("a:1").call(0, "f");
                harness.operator.handler("a:1").call(1, "g");
                harness.operator.accesses().take();

                harness.snapshot();

                assertThat(harness.operator.accesses().take())
                        .isEqualTo(
                                Map.of(
                                        "durable-inputs.put", 3,
                                        "durable-journal.put", 2,
                                        "durable-sequence.update", 2));
            }
        }

        @Test
        void aSnapshotWritesNothingThatTheLastOneHolds() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.send("a", "1");
                harness.send("b", "1");
                harness.operator.handler("a:1").call(0, "f");
                harness.operator.handler("b:1").call(0, "f");
                harness.snapshot();
                harness.operator.accesses().take();

                harness.snapshot();
                assertThat(harness.operator.accesses().take()).isEmpty();

                harness.operator.handler("a:1").succeed(0, "f", "r");
                harness.snapshot();
                assertThat(harness.operator.accesses().take())
                        .isEqualTo(Map.of("durable-journal.put", 1));

                harness.send("b", "2");
                harness.snapshot();
                assertThat(harness.operator.accesses().take())
                        .isEqualTo(Map.of("durable-inputs.put", 1, "durable-sequence.update", 1));
            }
        }

        @Test
        void afterTheEndTheSavedInputAndSlotsGoWithTheNextSnapshot() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.send("a", "1");
                harness.operator.handler("a:1").call(0, "f");
                harness.operator.handler("a:1").call(1, "g");
                harness.snapshot();
                harness.operator.accesses().take();

                harness.end("a:1");
                assertThat(harness.operator.accesses().take()).isEmpty();

                harness.snapshot();
                assertThat(harness.operator.accesses().take())
                        .isEqualTo(
                                Map.of(
                                        "durable-inputs.remove", 1,
                                        "durable-journal.remove", 2));
                assertThat(harness.stateEntries()).as("the sequence stays").isEqualTo(1);
            }
        }

        @Test
        void theSnapshotAfterTheEndOfInputHoldsNothingInFlight() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").call(0, "f");
                harness.snapshot();
                harness.operator.handler("a:1").end();
                harness.flink.endInput();
                snapshot = harness.snapshot();
                assertThat(harness.stateEntries()).as("the sequence alone").isEqualTo(1);
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.runMails();
                assertThat(harness.started()).isEmpty();
            }
        }

        @Test
        void theJournalOfTheNextInputTakesThePlaceOfTheFinishedOne() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.send("a", "1");
                harness.send("a", "2");
                for (int slot = 0; slot < 3; slot++) {
                    harness.operator.handler("a:1").call(slot, "f" + slot);
                }
                harness.snapshot();
                harness.end("a:1");
                harness.operator.handler("a:2").call(0, "g");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.runMails();
                assertThat(harness.started()).containsExactly("a:2");
                assertThat(harness.operator.handler("a:2").journal()).containsExactly("g PENDING");
            }
        }

        @Test
        void slotsDroppedAfterASnapshotAreGoneFromTheNext() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.runMails();
                harness.send("a", "1");
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                for (int slot = 0; slot < 3; slot++) {
                    handler.call(slot, "f" + slot);
                }
                harness.snapshot();
                harness.operator.bridge().clearCallResultsFrom(handler.id(), 1);
                handler.call(1, "g");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.runMails();
                assertThat(harness.operator.handler("a:1").journal())
                        .containsExactly("f0 PENDING", "g PENDING");
            }
        }

        @Test
        void slotsDroppedByARestoredInvocationThatThenEndsAreGoneToo() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.operator.handler("a:1").call(0, "f");
                harness.operator.handler("a:1").call(1, "g");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.runMails();
                HarnessOperator<String>.Handler handler = harness.operator.handler("a:1");
                harness.operator.bridge().clearCallResultsFrom(handler.id(), 0);
                handler.call(0, "h");
                handler.end();
                harness.runMails();
                harness.snapshot();
                assertThat(harness.stateEntries()).as("the sequence alone").isEqualTo(1);
            }
        }
    }

    @Nested
    class Sequence {

        @Test
        void inputsOfAKeyAreNumberedFromZero() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                List<Long> sequences = new ArrayList<>();
                harness.operator.onStart(
                        handler -> {
                            sequences.add(handler.sequence());
                            handler.end();
                        });
                harness.send("a", "1");
                harness.send("a", "2");
                harness.send("b", "1");
                harness.send("a", "3");

                assertThat(sequences).containsExactly(0L, 1L, 0L, 2L);
            }
        }

        @Test
        void theNumbersGoOnAfterASnapshotAndAfterARestore() throws Exception {
            OperatorSubtaskState snapshot;
            List<Long> sequences = new ArrayList<>();
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.operator.onStart(
                        handler -> {
                            sequences.add(handler.sequence());
                            handler.end();
                        });
                harness.send("a", "1");
                harness.send("a", "2");
                harness.snapshot();
                harness.send("a", "3"); // its lane was forgotten by the snapshot
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.operator.onStart(handler -> sequences.add(handler.sequence()));
                harness.send("a", "4");
            }
            assertThat(sequences).containsExactly(0L, 1L, 2L, 3L);
        }

        @Test
        void theNumbersGoOnBehindRestoredInputs() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                snapshot = harness.snapshot();
            }
            List<Long> sequences = new ArrayList<>();
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.operator.onStart(handler -> sequences.add(handler.sequence()));
                harness.send("a", "3");
                harness.endAll();
                assertThat(harness.started()).containsExactly("a:1", "a:2", "a:3");
            }
            assertThat(sequences).containsExactly(0L, 1L, 2L);
        }

        @Test
        void theNumberOfIdleKeysKeptInMemoryIsBounded() throws Exception {
            try (DurableHarness<Long> harness =
                    DurableHarness.keyedBy(DurableHarness.KeyKind.LONG).open()) {
                List<Long> sequences = new ArrayList<>();
                harness.operator.onStart(
                        handler -> {
                            sequences.add(handler.sequence());
                            handler.end();
                        });
                harness.runMails();
                for (long key = 0; key < 50_100; key++) {
                    harness.send(key, "1");
                }
                assertThat(harness.operator.accesses().take().get("durable-sequence.update"))
                        .as("keys beyond 50,000 are written and forgotten at once")
                        .isEqualTo(100);
                assertThat(sequences).containsOnly(0L);

                harness.send(50_050L, "2"); // forgotten
                harness.send(3L, "2"); // remembered
                assertThat(sequences.subList(50_100, 50_102)).containsExactly(1L, 1L);

                harness.snapshot();
                assertThat(harness.stateEntries()).isEqualTo(50_100);
            }
        }
    }
}
