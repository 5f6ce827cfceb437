package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.tasks.TestProcessingTimeService;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import pyflink.durable.operator.DurableHarness;

/** When handlers start, and how many together. */
class StartBatchesTest {

    private static final long MILLI = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long A_MINUTE = 60_000;

    private final TestProcessingTimeService timers = new TestProcessingTimeService();
    private long now = 1_000 * MILLI;
    private int starts;

    private StartBatches batches(long collectMillis) {
        return new StartBatches(timers, collectMillis, () -> starts++, () -> now);
    }

    @Test
    void afterAPauseAnInputStartsAtOnce() {
        StartBatches batches = batches(1);
        assertThat(batches.areDue(1)).isTrue();
        batches.taskIsFree();
        assertThat(batches.areDue(1)).isFalse();
        now += MILLI;
        assertThat(batches.areDue(1)).isTrue();
    }

    @Test
    void anInputThatWaitedForALongStepDidNotComeAfterAPause() {
        StartBatches batches = batches(1);
        batches.mailBegins();
        now += 15 * MILLI;
        batches.taskIsFree();
        assertThat(batches.areDue(1)).isFalse();
    }

    @Test
    void whatIsCollectedStartsWhenTheTimeIsOver() throws Exception {
        StartBatches batches = batches(1);
        batches.taskIsFree();
        batches.areDue(1);
        batches.areDue(2);
        assertThat(timers.getNumActiveTimers()).isOne();
        timers.setCurrentTime(5);
        assertThat(starts).isOne();
        batches.areDue(1);
        assertThat(timers.getNumActiveTimers()).isOne();
    }

    @Test
    void manyWaitForNoTimer() {
        StartBatches batches = batches(1);
        batches.taskIsFree();
        assertThat(batches.areDue(StartBatches.MOST - 1)).isFalse();
        assertThat(batches.areDue(StartBatches.MOST)).isTrue();
    }

    @Test
    void stepsGrowWhileAllThatTheyAreGivenStarts() {
        StartBatches batches = batches(1);
        assertThat(batches.size()).as("nobody knows yet how long a handler takes").isOne();
        batches.stepEnded(1, 1);
        assertThat(batches.size()).isEqualTo(2);
        for (int i = 0; i < 10; i++) {
            batches.stepEnded(1, 1);
        }
        assertThat(batches.size()).isEqualTo(StartBatches.MOST);
    }

    @Test
    void afterAStepThatHadNoTimeForAllTheNextIsGivenLittleMoreThanItStarted() {
        StartBatches batches = batches(0);
        batches.stepEnded(StartBatches.MOST, 7);
        assertThat(batches.size()).isEqualTo(14);
        batches.stepEnded(14, 1);
        assertThat(batches.size()).isEqualTo(2);
    }

    @Test
    void aMailStartsHandlersForTwentyMilliseconds() {
        StartBatches batches = batches(1);
        batches.mailBegins();
        assertThat(batches.millisLeft()).isEqualTo(20);
        now += 19 * MILLI;
        assertThat(batches.millisLeft()).isOne();
        now += 2 * MILLI;
        assertThat(batches.millisLeft()).isZero();
        batches.mailBegins();
        assertThat(batches.millisLeft()).isEqualTo(20);
    }

    @Nested
    class OfAnOperator {

        private DurableHarness open(int maxInFlight) throws Exception {
            return DurableHarness.setup().limits(maxInFlight, 10_000).collects(A_MINUTE).open();
        }

        @Test
        void theFirstStartsAtOnceAndTheOthersLater() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                for (String key : List.of("a", "b", "c", "b")) {
                    harness.send(key, "1");
                }
                assertThat(harness.operator.host().starts()).containsExactly(List.of("a:1"));
                assertThat(harness.operator.engine().scheduler().readyCount()).isEqualTo(2);
                harness.flink.setProcessingTime(10);
                assertThat(harness.operator.host().starts())
                        .as("a timer starts nothing")
                        .hasSize(1);
                harness.runMails();
                assertThat(harness.operator.host().started()).containsExactly("a:1", "b:1", "c:1");
            }
        }

        @Test
        void oneMailAsksForTheStartHoweverManyTimersFireBeforeItsTurn() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                harness.send("a", "1");
                harness.runMails();
                for (String key : List.of("b", "c", "d")) {
                    harness.send(key, "1");
                    harness.flink.setProcessingTime(harness.flink.getProcessingTime() + 10);
                }
                assertThat(harness.flink.getTaskMailbox().size()).isOne();
                harness.runMails();
                assertThat(harness.operator.host().started())
                        .containsExactly("a:1", "b:1", "c:1", "d:1");
                harness.send("e", "1");
                harness.flink.setProcessingTime(harness.flink.getProcessingTime() + 10);
                harness.runMails();
                assertThat(harness.operator.host().started()).as("asked for again").contains("e:1");
            }
        }

        @Test
        void noMoreStartTogetherThanMayRun() throws Exception {
            try (DurableHarness harness = open(2)) {
                harness.send("a", "1");
                harness.operator.host().onStart(handler -> handler.end("done"));
                for (String key : List.of("b", "c", "d")) {
                    harness.send(key, "1");
                }
                harness.flink.setProcessingTime(10);
                harness.runMails();
                assertThat(harness.operator.host().starts())
                        .containsExactly(
                                List.of("a:1"), List.of("b:1"), List.of("c:1"), List.of("d:1"));
            }
        }

        @Test
        void betweenHandlersThatBlockTheTaskTakesItsMails() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                harness.runMails(); // the one that starts what was in flight
                List<String> order = new ArrayList<>();
                harness.operator.host().startsPerStep(1);
                harness.operator
                        .host()
                        .onStart(
                                handler -> {
                                    order.add(handler.toString());
                                    block();
                                });
                for (String key : List.of("a", "b", "c")) {
                    harness.send(key, "1");
                }
                harness.flink.setProcessingTime(10);
                harness.operator.mailbox().execute(() -> order.add("checkpoint"), "a barrier");
                harness.runMails();
                assertThat(order).containsExactly("a:1", "checkpoint", "b:1", "c:1");
            }
        }

        @Test
        void whatAStepHasNoTimeForStartsInTheNextInItsOrder() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                harness.send("a", "1");
                harness.operator.host().startsPerStep(2);
                for (String key : List.of("b", "c", "d", "e", "f")) {
                    harness.send(key, "1");
                }
                harness.flink.setProcessingTime(10);
                harness.runMails();
                assertThat(harness.operator.host().starts())
                        .containsExactly(
                                List.of("a:1"),
                                List.of("b:1", "c:1"),
                                List.of("d:1", "e:1"),
                                List.of("f:1"));
            }
        }

        @Test
        void whatAStepHadNoTimeForIsInASnapshot() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                harness.runMails(); // the one that starts what was in flight
                harness.operator.host().startsPerStep(1);
                harness.operator.host().onStart(handler -> block());
                for (String key : List.of("a", "b", "c")) {
                    harness.send(key, "1");
                }
                harness.flink.setProcessingTime(10);
                List<String> startedThen = new ArrayList<>();
                List<OperatorSubtaskState> snapshots = new ArrayList<>();
                harness.operator
                        .mailbox()
                        .execute(
                                () -> {
                                    startedThen.addAll(harness.operator.host().started());
                                    snapshots.add(harness.snapshot());
                                },
                                "a barrier");
                harness.runMails();
                assertThat(startedThen).containsExactly("a:1");
                try (DurableHarness again = DurableHarness.setup().open(snapshots.get(0))) {
                    again.runMails();
                    assertThat(again.operator.host().started())
                            .containsExactlyInAnyOrder("a:1", "b:1", "c:1");
                }
            }
        }

        /** For longer than a step may take. */
        private void block() {
            try {
                Thread.sleep(30);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }

        @Test
        void theEndOfTheInputStartsWhatIsCollected() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                harness.operator.host().onStart(handler -> handler.end("done"));
                harness.send("a", "1");
                harness.send("b", "1");
                harness.flink.endInput();
                assertThat(harness.operator.host().started()).containsExactly("a:1", "b:1");
            }
        }

        @Test
        void whatIsCollectedIsInASnapshot() throws Exception {
            try (DurableHarness harness = open(1_000)) {
                harness.send("a", "1");
                harness.send("b", "1");
                OperatorSubtaskState snapshot = harness.flink.snapshot(1, 1);
                try (DurableHarness again = DurableHarness.setup().open(snapshot)) {
                    again.runMails();
                    assertThat(again.operator.host().started())
                            .containsExactlyInAnyOrder("a:1", "b:1");
                }
            }
        }

        @Test
        void aFullOperatorStartsWhatIsCollectedBeforeItWaits() throws Exception {
            try (DurableHarness harness =
                    DurableHarness.setup().limits(1_000, 2).collects(A_MINUTE).open()) {
                for (String key : List.of("a", "b", "c")) {
                    harness.send(key, "1");
                }
                assertThat(harness.operator.host().started()).containsExactly("a:1", "b:1", "c:1");
            }
        }
    }
}
