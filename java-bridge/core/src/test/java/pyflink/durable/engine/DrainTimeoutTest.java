package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** At the end of the input, calls at the gate wait as long as checkpoints complete. */
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
                            "The input has ended, 2 calls wait for a checkpoint, and none has"
                                    + " completed for 6000 ms")
                    .hasMessageContaining("`stop` without `--drain`");
            assertThat(log).containsExactly("almost", "late");
        }
    }

    @Test
    void aBoundedInputEndsAsLongAsCheckpointsComplete() throws Exception {
        try (DurableHarness harness = open(1, 10)) {
            harness.operator
                    .host()
                    .onRelease(
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

    /** Checkpoints that all fail let nothing through, however many are begun. */
    @Test
    void aSnapshotIsNoCompletedCheckpoint() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            long completed = harness.checkpoint();
            harness.complete(completed);
            harness.operator.host().handler("a:1").succeed(0, "charge", "receipt");
            harness.operator.host().handler("a:1").callGated(1, "notify");
            harness.runMails();
            for (int i = 1; i <= 6; i++) {
                long second = 1_000L * i;
                duringTheWait(
                        harness,
                        "begun and aborted",
                        () -> {
                            harness.flink.setProcessingTime(second);
                            harness.operator.notifyCheckpointAborted(harness.checkpoint());
                            tell(harness, completed); // Flink repeats the last one's news
                        });
            }
            assertThatThrownBy(harness.flink::endInput)
                    .cause()
                    .hasMessageStartingWith("The input has ended, 1 calls wait for a checkpoint");
            assertThat(log).hasSize(6);
        }
    }

    @Test
    void aCallThatIsUnderWayMayTakeAsLongAsItTakes() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            harness.operator.host().onStart(handler -> handler.call(0, "a long one"));
            harness.send("b", "1");
            harness.operator.host().onRelease(HarnessHandler::end);
            duringTheWait(
                    harness,
                    "hours later",
                    () -> harness.flink.setProcessingTime(10_000 * INTERVAL));
            duringTheWait(harness, "b:1 ends", () -> harness.operator.host().handler("b:1").end());
            duringTheWait(harness, "checkpoint", () -> tell(harness, harness.checkpoint()));

            harness.flink.endInput();
            assertThat(harness.outputs()).containsExactly("b:1", "a:1");
        }
    }

    @Test
    void aSleepMayTakeAsLongAsItTakes() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            harness.operator.host().onStart(handler -> handler.schedule(0, "sleep", 1, 50_000_000));
            harness.send("b", "1");
            harness.operator.host().onRelease(HarnessHandler::end);
            duringTheWait(
                    harness, "hours later", () -> harness.flink.setProcessingTime(20_000_000));
            duringTheWait(harness, "checkpoint", () -> tell(harness, harness.checkpoint()));
            duringTheWait(harness, "b:1 ends", () -> harness.operator.host().handler("b:1").end());

            harness.flink.endInput();
            assertThat(harness.outputs()).containsExactly("b:1", "a:1");
        }
    }

    /** Such as the one thread, which the handler at the gate has. */
    @Test
    void handlersThatWaitForSomethingInTheirProcessDoNotKeepItSilent() throws Exception {
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            harness.operator.host().onStart(handler -> {});
            harness.send("b", "1");
            duringTheWait(
                    harness, "late", () -> setTimeFiredByTimer(harness, INTERVAL + DRAIN_TIMEOUT));

            assertThatThrownBy(harness.flink::endInput)
                    .cause()
                    .hasMessageStartingWith("The input has ended, 1 calls wait for a checkpoint");
        }
    }

    /** In doubt since a failure, and not asked about, as it waits for a thread, too. */
    @Test
    void aRestoredCallThatNobodyHasAskedForIsNotUnderWay() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = open(10, 3)) {
            harness.send("a", "1");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = open(10, 3, snapshot, handler -> {})) {
            harness.operator.host().onStart(handler -> handler.callGatedInStep(0, "charge"));
            harness.send("b", "1");
            assertThat(harness.operator.host().handler("a:1").journal())
                    .containsExactly("charge PENDING");
            duringTheWait(
                    harness, "late", () -> setTimeFiredByTimer(harness, INTERVAL + DRAIN_TIMEOUT));

            assertThatThrownBy(harness.flink::endInput)
                    .cause()
                    .hasMessageStartingWith("The input has ended, 1 calls wait for a checkpoint");
        }
    }
}
