package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** Handlers that have ended, and operators behind that do not take their outputs yet. */
@Timeout(60)
class EndingsTest {

    private static final CompletableFuture<?> ROOM = CompletableFuture.completedFuture(null);

    private CompletableFuture<Void> full = new CompletableFuture<>();

    /** Room for so many invocations' outputs; then none until {@link #full} is done. */
    private void leaveRoomFor(DurableHarness harness, int invocations) {
        AtomicInteger room = new AtomicInteger(invocations);
        harness.operator.onEmit(room::decrementAndGet);
        harness.operator.outputAvailable(() -> room.get() > 0 ? ROOM : full);
    }

    private void makeRoom(DurableHarness harness) throws Exception {
        CompletableFuture<Void> waiting = full;
        harness.operator.outputAvailable(() -> ROOM);
        full = new CompletableFuture<>();
        waiting.complete(null);
        harness.runMails();
    }

    private DurableHarness threeThatEndTogether(int room) throws Exception {
        DurableHarness harness = DurableHarness.setup().limits(10, 100).open();
        leaveRoomFor(harness, room);
        for (String key : new String[] {"a", "b", "c"}) {
            harness.send(key, "1");
        }
        harness.operator.host().running().forEach(HarnessHandler::endWithoutWake);
        harness.operator.bridge().wake();
        harness.runMails();
        return harness;
    }

    @Test
    void outputsWaitUntilTheOperatorsBehindTakeThem() throws Exception {
        try (DurableHarness harness = threeThatEndTogether(0)) {
            assertThat(harness.outputs()).isEmpty();
            assertThat(harness.operator.engine().scheduler().runningCount()).isEqualTo(3);
            makeRoom(harness);
            assertThat(harness.outputs()).containsExactly("a:1", "b:1", "c:1");
            assertThat(harness.operator.engine().scheduler().hasInFlight()).isFalse();
        }
    }

    @Test
    void asManyAreEmittedAsThereIsRoomFor() throws Exception {
        try (DurableHarness harness = threeThatEndTogether(2)) {
            assertThat(harness.outputs()).containsExactly("a:1", "b:1");
            makeRoom(harness);
            assertThat(harness.outputs()).containsExactly("a:1", "b:1", "c:1");
        }
    }

    /** A consumer in the same task is always available, and may take long for each output. */
    @Test
    void aMailEndsWhenItHasEmittedForAWhile() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            AtomicInteger checkpointMails = new AtomicInteger();
            harness.operator.onEmit(
                    () -> {
                        long slow = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(21);
                        while (System.nanoTime() < slow) {
                            Thread.onSpinWait();
                        }
                        harness.operator
                                .mailbox()
                                .execute(checkpointMails::incrementAndGet, "a checkpoint");
                    });
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator.host().running().forEach(HarnessHandler::endWithoutWake);
            harness.operator.bridge().wake();
            harness.operator
                    .mailbox()
                    .execute(
                            () -> assertThat(harness.outputs()).containsExactly("a:1"),
                            "between the two");
            harness.runMails();
            assertThat(harness.outputs()).containsExactly("a:1", "b:1");
            assertThat(checkpointMails).hasValue(2);
        }
    }

    @Test
    void whatWaitsIsInFlightAndWhatIsEmittedIsNot() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = threeThatEndTogether(1)) {
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).containsExactlyInAnyOrder("b:1", "c:1");
        }
    }

    /** The call would be in doubt otherwise, or be made again, though its outcome was seen. */
    @Test
    void aCheckpointMeanwhileHoldsAllThatTheHandlerWroteInItsLastStep() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            leaveRoomFor(harness, 0);
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                handler.recordInStep(0, "charge", "receipt");
                                handler.callInStep(1, "nobody waits for it");
                                handler.end();
                            });
            harness.send("a", "1");
            harness.runMails();
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            assertThat(harness.operator.host().handler("a:1").journal())
                    .containsExactly("charge SUCCEEDED receipt", "nobody waits for it PENDING");
        }
    }

    @Test
    void whatIsEmittedAtOnceIsNotWritten() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                handler.recordInStep(0, "charge", "receipt");
                                handler.end();
                            });
            harness.send("a", "1");
            harness.runMails();
            assertThat(harness.outputs()).containsExactly("a:1");
            assertThat(harness.operator.host().kept()).isZero();
        }
    }

    @Test
    void noHandlersStartMeanwhile() throws Exception {
        try (DurableHarness harness = threeThatEndTogether(0)) {
            harness.send("a", "2");
            harness.send("d", "1");
            harness.runMails();
            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1");
            makeRoom(harness);
            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1", "d:1", "a:2");
        }
    }

    @Test
    void handlersGoOnMeanwhileAndEndBehindTheOthers() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            leaveRoomFor(harness, 0);
            harness.send("a", "1");
            harness.send("b", "1");
            harness.end("b:1");
            harness.end("a:1");
            assertThat(harness.operator.host().running()).isEmpty();
            makeRoom(harness);
            assertThat(harness.outputs()).containsExactly("b:1", "a:1");
        }
    }

    @Test
    void callsThatTheHandlerLeftAtTheGateLeaveIt() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            leaveRoomFor(harness, 0);
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                handler.callGatedInStep(0, "charge");
                                handler.end();
                            });
            harness.send("a", "1");
            harness.runMails();
            assertThat(harness.operator.engine().atGate()).isZero();
            assertThat(harness.operator.engine().scheduler().runningCount()).isEqualTo(1);
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).isEmpty();
            makeRoom(harness);
            assertThat(harness.operator.engine().scheduler().runningCount()).isZero();
        }
    }

    /** By a thread that the handler did not wait for. */
    @Test
    void aCallThatComesToTheGateMeanwhileLeavesItWithItsInvocation() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            leaveRoomFor(harness, 0);
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            harness.end("a:1");
            handler.callGated(0, "charge");
            long checkpoint = harness.checkpoint();
            makeRoom(harness);
            assertThat(harness.operator.engine().atGate()).isZero();
            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases()).isEmpty();
            assertThat(harness.operator.engine().scheduler().runningCount()).isZero();
        }
    }

    @Test
    void watermarksWaitForTheOutputsToo() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            leaveRoomFor(harness, 0);
            harness.send("a", "1", 5);
            harness.flink.processWatermark(new Watermark(10));
            harness.end("a:1");
            assertThat(harness.emitted()).isEmpty();
            makeRoom(harness);
            assertThat(harness.emitted()).hasSize(2).first().isEqualTo("a:1");
        }
    }

    @Test
    void theEndOfTheInputWaitsForTheOutputs() throws Exception {
        try (DurableHarness harness = threeThatEndTogether(0)) {
            harness.operator
                    .mailbox()
                    .execute(
                            () -> {
                                harness.operator.outputAvailable(() -> ROOM);
                                full.complete(null);
                            },
                            "room");
            harness.flink.endInput();
            assertThat(harness.outputs()).containsExactly("a:1", "b:1", "c:1");
        }
    }
}
