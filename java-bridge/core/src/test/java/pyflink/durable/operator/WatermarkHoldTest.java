package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Watermarks wait for the inputs before them. */
class WatermarkHoldTest {

    @Nested
    class Alone {

        private final WatermarkHold hold = new WatermarkHold();
        private final List<String> sent = new ArrayList<>();

        private void hold(String name) throws Exception {
            hold.hold(() -> sent.add(name));
        }

        private void finish(WatermarkHold.Epoch epoch) throws Exception {
            epoch.finishOne();
            hold.release();
        }

        @Test
        void withNothingInFlightAWatermarkPassesAtOnce() throws Exception {
            hold("w1");
            hold("w2");

            assertThat(sent).containsExactly("w1", "w2");
        }

        @Test
        void aWatermarkWaitsForEveryInputBeforeItInWhateverOrderTheyFinish() throws Exception {
            WatermarkHold.Epoch first = hold.enter();
            WatermarkHold.Epoch second = hold.enter();
            hold("w1");

            finish(second);
            assertThat(sent).isEmpty();

            finish(first);
            assertThat(sent).containsExactly("w1");
        }

        @Test
        void aWatermarkDoesNotWaitForInputsBehindIt() throws Exception {
            WatermarkHold.Epoch before = hold.enter();
            hold("w1");
            WatermarkHold.Epoch behind = hold.enter();
            hold("w2");

            finish(before);
            assertThat(sent).containsExactly("w1");

            finish(behind);
            assertThat(sent).containsExactly("w1", "w2");
        }

        @Test
        void aLaterWatermarkDoesNotOvertakeAnEarlierOne() throws Exception {
            WatermarkHold.Epoch before = hold.enter();
            hold("w1");
            WatermarkHold.Epoch behind = hold.enter();
            hold("w2");
            hold("idle");

            finish(behind);
            assertThat(sent).isEmpty();

            finish(before);
            assertThat(sent).containsExactly("w1", "w2", "idle");
        }

        @Test
        void anInputFinishedWithoutAReleaseSendsNothingYet() throws Exception {
            WatermarkHold.Epoch epoch = hold.enter();
            hold("w1");

            epoch.finishOne();
            assertThat(sent).as("the outputs of the input come first").isEmpty();

            hold.release();
            assertThat(sent).containsExactly("w1");
        }

        @Test
        void whatWasSentIsNotSentAgain() throws Exception {
            hold("w1");
            hold.release();
            hold.release();

            assertThat(sent).containsExactly("w1");
        }
    }

    @Nested
    class InTheOperator {

        @Test
        void theOutputsOfAnInputComeBeforeTheWatermarkBehindIt() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1", 5);
                harness.send("b", "1", 6);
                harness.flink.processWatermark(10);
                harness.send("c", "1", 11);

                harness.end("c:1");
                harness.end("a:1");
                assertThat(harness.emitted()).containsExactly("c:1", "a:1");

                harness.end("b:1");
                assertThat(harness.emitted())
                        .containsExactly("c:1", "a:1", "b:1", new Watermark(10).toString());
            }
        }

        @Test
        void handlersThatEndInTheSameMailAllEmitBeforeTheWatermark() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.flink.processWatermark(10);
                harness.send("b", "1");
                harness.flink.processWatermark(20);

                harness.endAll();

                assertThat(harness.emitted())
                        .containsExactly(
                                "a:1",
                                "b:1",
                                new Watermark(10).toString(),
                                new Watermark(20).toString());
            }
        }

        @Test
        void aWaitingInputOfTheSameKeyHoldsAWatermarkBackToo() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                harness.flink.processWatermark(10);

                harness.end("a:1");
                assertThat(harness.emitted()).containsExactly("a:1");

                harness.end("a:2");
                assertThat(harness.emitted())
                        .containsExactly("a:1", "a:2", new Watermark(10).toString());
            }
        }

        @Test
        void aChangeOfStatusKeepsItsPlaceAmongTheWatermarks() throws Exception {
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.flink.processWatermark(10);
                harness.flink.processWatermarkStatus(WatermarkStatus.IDLE);
                harness.flink.processWatermarkStatus(WatermarkStatus.ACTIVE);
                harness.flink.processWatermark(20);
                assertThat(harness.emitted()).isEmpty();

                harness.end("a:1");

                assertThat(harness.emitted())
                        .containsExactly(
                                "a:1",
                                new Watermark(10).toString(),
                                WatermarkStatus.IDLE.toString(),
                                WatermarkStatus.ACTIVE.toString(),
                                new Watermark(20).toString());
            }
        }

        @Test
        void restoredInputsHoldBackNewWatermarks() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                // before the mail that starts what was in flight
                harness.flink.processWatermark(10);
                harness.runMails();
                harness.end("a:1");
                assertThat(harness.emitted()).containsExactly("a:1");

                harness.end("a:2");
                assertThat(harness.emitted())
                        .containsExactly("a:1", "a:2", new Watermark(10).toString());
            }
        }

        @Test
        void restoredInputsHoldBackAnIdleStatus() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness<String> harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                snapshot = harness.snapshot();
            }
            try (DurableHarness<String> harness = DurableHarness.setup().open(snapshot)) {
                harness.flink.processWatermarkStatus(WatermarkStatus.IDLE);
                assertThat(harness.emitted()).isEmpty();

                harness.endAll();
                assertThat(harness.emitted())
                        .containsExactly("a:1", WatermarkStatus.IDLE.toString());
            }
        }
    }
}
