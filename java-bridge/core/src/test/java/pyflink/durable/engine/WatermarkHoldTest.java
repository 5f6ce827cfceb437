package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import pyflink.durable.operator.DurableHarness;

/** Watermarks wait for the inputs that they would make late, and for no others. */
class WatermarkHoldTest {

    @Nested
    class Alone {

        private final List<String> sent = new ArrayList<>();
        private final WatermarkHold hold = new WatermarkHold(downstream(sent));

        private void finish(WatermarkHold.Group group) throws Exception {
            hold.finish(group);
            hold.release();
        }

        @Test
        void withNothingInFlightAWatermarkPassesAtOnce() throws Exception {
            hold.hold(10);
            hold.hold(20);

            assertThat(sent).containsExactly("10", "20");
        }

        @Test
        void aWatermarkPassesInputsThatAreAheadOfIt() throws Exception {
            WatermarkHold.Group input = hold.enter(12L);
            hold.hold(11);
            assertThat(sent).containsExactly("11");

            hold.hold(12);
            assertThat(sent).as("an output at 12 would be late behind it").containsExactly("11");

            finish(input);
            assertThat(sent).containsExactly("11", "12");
        }

        @Test
        void aWatermarkWaitsForEveryInputBeforeItInWhateverOrderTheyFinish() throws Exception {
            WatermarkHold.Group first = hold.enter(3L);
            WatermarkHold.Group second = hold.enter(5L);
            hold.hold(10);

            finish(second);
            assertThat(sent).isEmpty();

            finish(first);
            assertThat(sent).containsExactly("10");
        }

        @Test
        void ofHeldWatermarksThoseGoOnThatTheFinishedInputHeld() throws Exception {
            WatermarkHold.Group early = hold.enter(5L);
            WatermarkHold.Group late = hold.enter(15L);
            hold.hold(10);
            hold.hold(14);
            hold.hold(20);
            assertThat(sent).isEmpty();

            finish(early);
            assertThat(sent).as("the last one below 15").containsExactly("14");

            finish(late);
            assertThat(sent).containsExactly("14", "20");
        }

        @Test
        void aWatermarkDoesNotWaitForInputsBehindIt() throws Exception {
            WatermarkHold.Group before = hold.enter(5L);
            hold.hold(10);
            WatermarkHold.Group behind = hold.enter(6L);
            hold.hold(20);

            finish(before);
            assertThat(sent).containsExactly("10");

            finish(behind);
            assertThat(sent).containsExactly("10", "20");
        }

        @Test
        void anInputThatWasLateIsNoLaterWhenItEnds() throws Exception {
            hold.hold(10);
            WatermarkHold.Group late = hold.enter(3L);
            hold.hold(20);
            assertThat(sent).containsExactly("10");

            finish(late);
            assertThat(sent).containsExactly("10", "20");
        }

        @Test
        void anInputWithoutATimestampHoldsEveryWatermarkBehindIt() throws Exception {
            WatermarkHold.Group input = hold.enter(null);
            hold.hold(Long.MIN_VALUE + 1);
            assertThat(sent).isEmpty();

            finish(input);
            assertThat(sent).hasSize(1);
        }

        @ParameterizedTest
        @ValueSource(longs = {Long.MIN_VALUE, Long.MIN_VALUE + 1, 0, Long.MAX_VALUE})
        void theLastWatermarkOfAllWaitsForEveryInput(long timestamp) throws Exception {
            WatermarkHold.Group input = hold.enter(timestamp);
            hold.hold(Watermark.MAX_WATERMARK.getTimestamp());
            assertThat(sent).isEmpty();

            finish(input);
            assertThat(sent).containsExactly(String.valueOf(Long.MAX_VALUE));
        }

        @Test
        void watermarksWithNoInputBetweenThemAreOne() throws Exception {
            WatermarkHold.Group input = hold.enter(5L);
            for (long time = 10; time < 100_000; time++) {
                hold.hold(time);
            }
            assertThat(hold.size()).isEqualTo(1);

            finish(input);
            assertThat(sent).containsExactly("99999");
        }

        @Test
        void theInputsOfALongCallsTimeLeaveNothingBehind() throws Exception {
            hold.enter(5L);
            for (long time = 10; time < 10_000; time++) {
                WatermarkHold.Group quick = hold.enter(time);
                hold.hold(time);
                finish(quick);
            }

            assertThat(hold.size()).isEqualTo(1);
            assertThat(sent).isEmpty();
        }

        @Test
        void aWatermarkThatSaysNothingNewIsNotSent() throws Exception {
            hold.hold(10);
            hold.hold(10);
            hold.hold(9);

            assertThat(sent).containsExactly("10");
        }

        @Test
        void anInputFinishedWithoutAReleaseSendsNothingYet() throws Exception {
            WatermarkHold.Group group = hold.enter(5L);
            hold.hold(10);

            hold.finish(group);
            assertThat(sent).as("the outputs of the input come first").isEmpty();

            hold.release();
            assertThat(sent).containsExactly("10");
        }

        @Test
        void whatWasSentIsNotSentAgain() throws Exception {
            hold.hold(10);
            hold.hold(WatermarkStatus.IDLE);
            hold.release();
            hold.release();

            assertThat(sent).containsExactly("10", "idle");
        }

        @Test
        void anIdleStatusWaitsForEveryInputBeforeItAndForWhatTheyHold() throws Exception {
            WatermarkHold.Group early = hold.enter(5L);
            WatermarkHold.Group ahead = hold.enter(50L);
            hold.hold(10);
            hold.hold(WatermarkStatus.IDLE);

            finish(early);
            assertThat(sent).containsExactly("10");

            finish(ahead);
            assertThat(sent).containsExactly("10", "idle");
        }

        @Test
        void anIdleStatusDoesNotWaitForInputsBehindIt() throws Exception {
            WatermarkHold.Group before = hold.enter(50L);
            hold.hold(WatermarkStatus.IDLE);
            WatermarkHold.Group behind = hold.enter(50L);

            finish(before);
            assertThat(sent).containsExactly("idle");

            finish(behind);
            assertThat(sent).containsExactly("idle");
        }

        @Test
        void aStreamThatIsActiveAgainMeanwhileWasNotIdle() throws Exception {
            WatermarkHold.Group input = hold.enter(5L);
            hold.hold(WatermarkStatus.IDLE);
            hold.hold(WatermarkStatus.ACTIVE);
            hold.hold(20);
            finish(input);

            assertThat(sent).containsExactly("20");
        }

        @Test
        void anIdleStatusCountsItsInputsAfterOneThatWasTakenBackToo() throws Exception {
            WatermarkHold.Group first = hold.enter(5L);
            hold.hold(WatermarkStatus.IDLE);
            WatermarkHold.Group second = hold.enter(5L);
            hold.hold(WatermarkStatus.ACTIVE);
            hold.hold(WatermarkStatus.IDLE);

            finish(first);
            assertThat(sent).isEmpty();

            finish(second);
            assertThat(sent).containsExactly("idle");
        }

        @Test
        void anActiveStatusWaitsForNothing() throws Exception {
            hold.hold(WatermarkStatus.IDLE);
            hold.enter(5L);
            hold.hold(WatermarkStatus.ACTIVE);

            assertThat(sent).containsExactly("idle", "active");
        }
    }

    /** Notes what goes on. */
    static WatermarkHold.Downstream downstream(List<String> sent) {
        return new WatermarkHold.Downstream() {
            @Override
            public void emitWatermark(long timestamp) {
                sent.add(String.valueOf(timestamp));
            }

            @Override
            public void emitWatermarkStatus(WatermarkStatus status) {
                sent.add(status.isIdle() ? "idle" : "active");
            }
        };
    }

    @Nested
    class InTheOperator {

        @Test
        void aWatermarkPassesAnInputThatIsAheadOfIt() throws Exception {
            try (DurableHarness harness = DurableHarness.setup().open()) {
                harness.send("a", "1", 12_000);
                harness.flink.processWatermark(9_999); // closes the window [0, 10 s)
                assertThat(harness.emitted()).containsExactly(new Watermark(9_999).toString());

                harness.flink.processWatermark(12_000);
                harness.end("a:1");
                assertThat(harness.emitted())
                        .containsExactly(
                                new Watermark(9_999).toString(),
                                "a:1",
                                new Watermark(12_000).toString());
            }
        }

        @Test
        void theOutputsOfAnInputComeBeforeTheWatermarkBehindIt() throws Exception {
            try (DurableHarness harness = DurableHarness.setup().open()) {
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
            try (DurableHarness harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.flink.processWatermark(10);
                harness.send("b", "1");
                harness.flink.processWatermark(20);

                harness.endAll();

                assertThat(harness.emitted())
                        .containsExactly("a:1", "b:1", new Watermark(20).toString());
            }
        }

        @Test
        void aWaitingInputOfTheSameKeyHoldsAWatermarkBackToo() throws Exception {
            try (DurableHarness harness = DurableHarness.setup().open()) {
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
        void anIdleStatusComesBehindTheOutputsAndWatermarksThatItWaitsFor() throws Exception {
            try (DurableHarness harness = DurableHarness.setup().open()) {
                harness.send("a", "1", 5);
                harness.flink.processWatermark(10);
                harness.flink.processWatermarkStatus(WatermarkStatus.IDLE);
                assertThat(harness.emitted()).isEmpty();

                harness.end("a:1");
                harness.flink.processWatermarkStatus(WatermarkStatus.ACTIVE);

                assertThat(harness.emitted())
                        .containsExactly(
                                "a:1",
                                new Watermark(10).toString(),
                                WatermarkStatus.IDLE.toString(),
                                WatermarkStatus.ACTIVE.toString());
            }
        }

        @Test
        void restoredInputsHoldBackNewWatermarks() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                harness.send("a", "2");
                snapshot = harness.snapshot();
            }
            try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
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
        void aRestoredInputHoldsTheWatermarksThatItsTimestampIsBehind() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness harness = DurableHarness.setup().open()) {
                harness.flink.processWatermark(100);
                harness.send("a", "1", 50); // late here, and perhaps not for a window restored
                snapshot = harness.snapshot();
            }
            try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
                harness.flink.processWatermark(49);
                harness.flink.processWatermark(100);
                assertThat(harness.emitted()).containsExactly(new Watermark(49).toString());

                harness.endAll();
                assertThat(harness.emitted())
                        .containsExactly(
                                new Watermark(49).toString(), "a:1", new Watermark(100).toString());
            }
        }

        @Test
        void restoredInputsHoldBackAnIdleStatus() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness harness = DurableHarness.setup().open()) {
                harness.send("a", "1");
                snapshot = harness.snapshot();
            }
            try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
                harness.flink.processWatermarkStatus(WatermarkStatus.IDLE);
                assertThat(harness.emitted()).isEmpty();

                harness.endAll();
                assertThat(harness.emitted())
                        .containsExactly("a:1", WatermarkStatus.IDLE.toString());
            }
        }
    }
}
