package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.tasks.TestProcessingTimeService;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

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

    private void step(StartBatches batches, int handlers, long millis) {
        batches.stepBegins();
        now += millis * MILLI;
        batches.stepEnded(handlers);
    }

    private void quickSteps(StartBatches batches, int count) {
        for (int i = 0; i < count; i++) {
            step(batches, batches.size(), 0);
        }
    }

    @Test
    void afterAPauseAnInputStartsAtOnce() {
        StartBatches batches = batches(1);
        assertThat(batches.areDue(1)).isTrue();
        step(batches, 1, 0);
        assertThat(batches.areDue(1)).isFalse();
        now += MILLI;
        assertThat(batches.areDue(1)).isTrue();
    }

    @Test
    void whatIsCollectedStartsWhenTheTimeIsOver() throws Exception {
        StartBatches batches = batches(1);
        step(batches, 1, 0);
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
        quickSteps(batches, 20);
        assertThat(batches.areDue(batches.size() - 1)).isFalse();
        assertThat(batches.areDue(batches.size())).isTrue();
    }

    @Test
    void quickHandlersSoonStartTogether() {
        StartBatches batches = batches(1);
        assertThat(batches.size()).as("nobody knows yet how long they take").isOne();
        quickSteps(batches, 7);
        assertThat(batches.size()).isEqualTo(128);
        quickSteps(batches, 1);
        assertThat(batches.size()).isEqualTo(128);
    }

    @Test
    void handlersThatBlockStartOneByOneAfterOneStep() {
        StartBatches batches = batches(1);
        quickSteps(batches, 7);
        step(batches, 128, 12_800);
        assertThat(batches.size()).isOne();
        assertThat(batches.tookLong()).isTrue();
        step(batches, 1, 100);
        assertThat(batches.size()).isOne();
        step(batches, 1, 0);
        assertThat(batches.tookLong()).isFalse();
    }

    /** Each step waits for the interpreter's lock, however many handlers it starts. */
    @Test
    void aWaitThatDoesNotGrowWithTheHandlersDoesNotKeepThemApart() {
        StartBatches batches = batches(1);
        for (int i = 0; i < 20; i++) {
            step(batches, batches.size(), 5);
        }
        assertThat(batches.size()).isEqualTo(128);
    }

    @Nested
    class OfAnOperator {

        private DurableHarness<String> open(int maxInFlight) throws Exception {
            return DurableHarness.setup().limits(maxInFlight, 10_000).collects(A_MINUTE).open();
        }

        @Test
        void theFirstStartsAtOnceAndTheOthersLater() throws Exception {
            try (DurableHarness<String> harness = open(1_000)) {
                for (String key : List.of("a", "b", "c", "b")) {
                    harness.send(key, "1");
                }
                assertThat(harness.operator.starts()).containsExactly(List.of("a:1"));
                assertThat(harness.operator.scheduler().readyCount()).isEqualTo(2);
                harness.flink.setProcessingTime(10);
                assertThat(harness.operator.starts()).as("a timer starts nothing").hasSize(1);
                harness.runMails();
                assertThat(harness.operator.started()).containsExactly("a:1", "b:1", "c:1");
            }
        }

        @Test
        void oneMailAsksForTheStartHoweverManyTimersFireBeforeItsTurn() throws Exception {
            try (DurableHarness<String> harness = open(1_000)) {
                harness.send("a", "1");
                harness.runMails();
                for (String key : List.of("b", "c", "d")) {
                    harness.send(key, "1");
                    harness.flink.setProcessingTime(harness.flink.getProcessingTime() + 10);
                }
                assertThat(harness.flink.getTaskMailbox().size()).isOne();
                harness.runMails();
                assertThat(harness.operator.started()).containsExactly("a:1", "b:1", "c:1", "d:1");
                harness.send("e", "1");
                harness.flink.setProcessingTime(harness.flink.getProcessingTime() + 10);
                harness.runMails();
                assertThat(harness.operator.started()).as("asked for again").contains("e:1");
            }
        }

        @Test
        void noMoreStartTogetherThanMayRun() throws Exception {
            try (DurableHarness<String> harness = open(2)) {
                harness.send("a", "1");
                harness.operator.onStart(handler -> handler.end("done"));
                for (String key : List.of("b", "c", "d")) {
                    harness.send(key, "1");
                }
                harness.flink.setProcessingTime(10);
                harness.runMails();
                assertThat(harness.operator.starts())
                        .containsExactly(
                                List.of("a:1"), List.of("b:1"), List.of("c:1"), List.of("d:1"));
            }
        }

        @Test
        void betweenHandlersThatBlockTheTaskTakesItsMails() throws Exception {
            try (DurableHarness<String> harness = open(1_000)) {
                harness.runMails(); // the one that starts what was in flight
                List<String> order = new ArrayList<>();
                harness.operator.onStart(
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
                assertThat(order).containsExactly("a:1", "b:1", "checkpoint", "c:1");
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
            try (DurableHarness<String> harness = open(1_000)) {
                harness.operator.onStart(handler -> handler.end("done"));
                harness.send("a", "1");
                harness.send("b", "1");
                harness.flink.endInput();
                assertThat(harness.operator.started()).containsExactly("a:1", "b:1");
            }
        }

        @Test
        void whatIsCollectedIsInASnapshot() throws Exception {
            try (DurableHarness<String> harness = open(1_000)) {
                harness.send("a", "1");
                harness.send("b", "1");
                OperatorSubtaskState snapshot = harness.flink.snapshot(1, 1);
                try (DurableHarness<String> again = DurableHarness.setup().open(snapshot)) {
                    again.runMails();
                    assertThat(again.operator.started()).containsExactlyInAnyOrder("a:1", "b:1");
                }
            }
        }

        @Test
        void aFullOperatorStartsWhatIsCollectedBeforeItWaits() throws Exception {
            try (DurableHarness<String> harness =
                    DurableHarness.setup().limits(1_000, 2).collects(A_MINUTE).open()) {
                for (String key : List.of("a", "b", "c")) {
                    harness.send(key, "1");
                }
                assertThat(harness.operator.started()).containsExactly("a:1", "b:1", "c:1");
            }
        }
    }
}
