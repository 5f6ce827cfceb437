package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** At the end of the input, calls at the gate wait as long as checkpoints are taken. */
@Timeout(20)
class DrainTimeoutTest extends ValveFixture {

    @Test
    void itFailsWhenOnlyTheGateIsLeftAndNoCheckpointComes() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            harness.send("b", "1");
            duringTheWait(
                    harness,
                    "almost",
                    () -> setTimeFiredByTimer(harness, INTERVAL + DRAIN_TIMEOUT - 1));
            duringTheWait(
                    harness, "late", () -> setTimeFiredByTimer(harness, INTERVAL + DRAIN_TIMEOUT));

            assertThatThrownBy(harness.flink::endInput)
                    .isInstanceOf(IllegalStateException.class)
                    .cause()
                    .hasMessageStartingWith(
                            "The input has ended, 2 calls wait for a checkpoint, and none was"
                                    + " taken for 6000 ms")
                    .hasMessageContaining("`stop` without `--drain`");
            assertThat(log).containsExactly("almost", "late");
        }
    }

    @Test
    void aBoundedInputEndsAsLongAsCheckpointsAreTaken() throws Exception {
        try (DurableHarness harness = open(1, 10)) {
            harness.operator.onRelease(
                    handler -> {
                        if (handler.journal().size() < 8) {
                            handler.callGated(handler.journal().size(), "charge");
                        } else {
                            handler.end();
                        }
                    });
            harness.send("a", "1");
            harness.send("a", "2");
            checkpointAgainAndAgain(harness);

            harness.flink.endInput();
            assertThat(harness.outputs()).containsExactly("a:1", "a:2");
        }
    }

    /** Always just in time. */
    private void checkpointAgainAndAgain(DurableHarness harness) {
        duringTheWait(
                harness,
                "checkpoint",
                () -> {
                    long now = harness.flink.getProcessingTime();
                    harness.flink.setProcessingTime(now + INTERVAL + DRAIN_TIMEOUT - 1);
                    tell(harness, harness.checkpoint());
                    checkpointAgainAndAgain(harness);
                });
    }

    @Test
    void aSnapshotThatIsTakenIsEnoughForTheDeadline() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            long late = INTERVAL + DRAIN_TIMEOUT;
            long[] checkpoint = new long[1];
            duringTheWait(
                    harness,
                    "taken",
                    () -> {
                        harness.flink.setProcessingTime(late - 1);
                        checkpoint[0] = harness.checkpoint();
                    });
            duringTheWait(harness, "completes slowly", () -> harness.flink.setProcessingTime(late));
            harness.operator.onRelease(HarnessOperator.Handler::end);
            duringTheWait(harness, "completed", () -> tell(harness, checkpoint[0]));

            harness.flink.endInput();
            assertThat(harness.outputs()).containsExactly("a:1");
        }
    }

    @Test
    void aCallThatRunsMayTakeAsLongAsItTakes() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            harness.operator.onStart(handler -> {});
            harness.send("b", "1");
            harness.operator.onRelease(HarnessOperator.Handler::end);
            duringTheWait(
                    harness,
                    "hours later",
                    () -> harness.flink.setProcessingTime(10_000 * INTERVAL));
            duringTheWait(harness, "b:1 ends", () -> harness.operator.handler("b:1").end());
            duringTheWait(harness, "checkpoint", () -> tell(harness, harness.checkpoint()));

            harness.flink.endInput();
            assertThat(harness.outputs()).containsExactly("b:1", "a:1");
        }
    }
}
