package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.ParkingFixture.DAY;
import static pyflink.durable.engine.ParkingFixture.PARK_AFTER;
import static pyflink.durable.engine.ParkingFixture.jump;
import static pyflink.durable.engine.ParkingFixture.parked;
import static pyflink.durable.engine.ParkingFixture.pass;
import static pyflink.durable.engine.ParkingFixture.setup;
import static pyflink.durable.engine.ParkingFixture.sleeping;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

/** Watermarks that come while invocations are parked pass them, or wait for them. */
class ParkedWatermarksTest {

    @Test
    void holdsNoWatermarkBackAndItsOutputsAreNotLate() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order", 1_000);
            sleeping(harness, "k:order");
            harness.flink.processWatermark(new Watermark(5_000));
            assertThat(harness.emitted()).isEmpty();
            pass(harness, PARK_AFTER + 2_000);
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(5_000));

            jump(harness, DAY);
            harness.flink.processWatermark(new Watermark(7_000));
            assertThat(harness.operator.host().handler("k:order").timestamp()).isEqualTo(1_000);
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(5_000));
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().open(snapshot)) {
            harness.runMails();
            harness.flink.processWatermark(new Watermark(7_000));
            harness.end("k:order");
            assertThat(harness.flink.getOutput())
                    .containsExactly(new StreamRecord<>("k:order", 5_001), new Watermark(7_000));
        }
    }

    @Test
    void isNotLateForWhatWasBehindTheWatermarkBeforeAFailure() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order", 1_000);
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER + 2_000);
            harness.flink.processWatermark(new Watermark(5_000));
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().open(snapshot)) {
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().open(snapshot)) {
            jump(harness, DAY);
            harness.end("k:order");
            assertThat(harness.flink.getOutput())
                    .containsExactly(new StreamRecord<>("k:order", 5_001));
        }
    }

    /** Behind the last watermark everything is late, and windows would drop what is parked. */
    @Test
    void theLastWatermarkWaitsForWhatIsParked() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order", 1_000);
            sleeping(harness, "k:order");
            harness.flink.processWatermark(new Watermark(5_000));
            pass(harness, PARK_AFTER + 2_000);
            harness.flink.processWatermark(Watermark.MAX_WATERMARK);
            harness.operator.host().onStart(HarnessHandler::end);
            harness.operator.mailbox().execute(() -> harness.flink.setProcessingTime(DAY), "a day");
            harness.flink.endInput();

            assertThat(harness.flink.getOutput())
                    .containsExactly(
                            new Watermark(5_000),
                            new StreamRecord<>("k:order", 5_001),
                            Watermark.MAX_WATERMARK);
        }
    }

    private static DurableHarness.Setup holding() {
        return setup().parkedHoldWatermarks();
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void waitForWhatIsParkedIfTheJobWantsIt(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = holding().backend(backend).open()) {
            harness.send("late", "order", 1_000);
            harness.send("early", "order", 3_000);
            sleeping(harness, "late:order");
            sleeping(harness, "early:order");
            pass(harness, PARK_AFTER + 2_000);
            harness.send("late", "behind", 2_000);
            harness.flink.processWatermark(new Watermark(500));
            for (long watermark = 1_000; watermark <= 5_000; watermark += 10) {
                harness.flink.processWatermark(new Watermark(watermark));
            }
            assertThat(harness.flink.getOutput())
                    .containsExactly(new Watermark(500), new Watermark(999));
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = holding().backend(backend).open(snapshot)) {
            harness.flink.processWatermark(new Watermark(6_000));
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(999));
            jump(harness, DAY);
            harness.end("late:order");
            assertThat(harness.flink.getOutput())
                    .containsExactly(
                            new Watermark(999),
                            new StreamRecord<>("late:order", 1_000),
                            new Watermark(1_999));
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = holding().backend(backend).open(snapshot)) {
            harness.flink.processWatermark(new Watermark(6_000));
            harness.runMails();
            harness.end("early:order");
            harness.end("late:behind");
            assertThat(harness.flink.getOutput())
                    .containsExactly(
                            new StreamRecord<>("early:order", 3_000),
                            new StreamRecord<>("late:behind", 2_000),
                            new Watermark(6_000));
        }
    }

    @Test
    void waitForTheOldestOfThousandsWithoutAPlaceForEachOfThem() throws Exception {
        try (DurableHarness harness = holding().limits(10, 1_000).open()) {
            harness.operator.host().onStart(handler -> handler.sleepUntil(0, DAY));
            for (int i = 0; i < 1_000; i++) {
                harness.send("k" + i, "x", 10L * i + 1);
                harness.flink.processWatermark(new Watermark(10L * i + 5));
            }
            pass(harness, 5_000);
            assertThat(parked(harness)).isEqualTo(1_000);
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(0));
            harness.operator.host().onStart(HarnessHandler::end);
            jump(harness, DAY);

            assertThat(harness.outputs()).hasSize(1_000);
            assertThat(isLate(harness)).isEmpty();
            assertThat(harness.emitted()).endsWith(new Watermark(9_995).toString());
        }
    }

    /** The outputs that come behind a watermark that reaches their timestamp. */
    private static List<Object> isLate(DurableHarness harness) {
        List<Object> late = new ArrayList<>();
        long watermark = Long.MIN_VALUE;
        for (Object element : harness.flink.getOutput()) {
            if (element instanceof Watermark) {
                assertThat(((Watermark) element).getTimestamp()).isGreaterThan(watermark);
                watermark = ((Watermark) element).getTimestamp();
            } else if (((StreamRecord<?>) element).getTimestamp() <= watermark) {
                late.add(element);
            }
        }
        return late;
    }

    @Test
    void waitWithTheIdleStatusAndForWhatIsParkedAgain() throws Exception {
        try (DurableHarness harness = holding().open()) {
            harness.send("k", "order", 1_000);
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER + 2_000);
            harness.flink.processWatermark(new Watermark(5_000));
            harness.flink.processWatermarkStatus(WatermarkStatus.IDLE);
            jump(harness, DAY);
            harness.operator.host().handler("k:order").sleepUntil(1, 2 * DAY);
            harness.operator.host().handler("k:order").giveUp(0);
            pass(harness, DAY + PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(999));
            jump(harness, 2 * DAY);
            harness.end("k:order");

            assertThat(harness.flink.getOutput())
                    .containsExactly(
                            new Watermark(999),
                            new StreamRecord<>("k:order", 1_000),
                            new Watermark(5_000),
                            WatermarkStatus.IDLE);
        }
    }

    @Test
    void areHeldNoMoreByAJobThatLetsThemPass() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = holding().open()) {
            harness.send("k", "order", 1_000);
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER + 2_000);
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().open(snapshot)) {
            harness.flink.processWatermark(new Watermark(5_000));
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(5_000));
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = holding().open(snapshot)) {
            harness.flink.processWatermark(new Watermark(7_000));
            assertThat(harness.flink.getOutput()).containsExactly(new Watermark(7_000));
            jump(harness, DAY);
            harness.end("k:order");
            assertThat(harness.flink.getOutput())
                    .containsExactly(new Watermark(7_000), new StreamRecord<>("k:order", 7_001));
        }
    }
}
