package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.util.function.ThrowingRunnable;
import pyflink.durable.operator.DurableHarness;

/**
 * An operator whose handlers make one call each, which goes to the gate; and what runs during its
 * waits.
 */
abstract class ValveFixture {

    static final long INTERVAL = 1_000;
    static final long DRAIN_TIMEOUT = 5_000;

    final List<String> log = new ArrayList<>();

    DurableHarness open(int maxInFlight, int maxPending) throws Exception {
        return open(maxInFlight, maxPending, null);
    }

    DurableHarness open(int maxInFlight, int maxPending, OperatorSubtaskState snapshot)
            throws Exception {
        return open(
                maxInFlight,
                maxPending,
                snapshot,
                handler -> {
                    if (handler.restoredSlots() == 0) {
                        handler.callGatedInStep(0, "charge");
                    } else {
                        handler.startAttemptGatedInStep(0, "charge", 2);
                    }
                });
    }

    DurableHarness open(
            int maxInFlight,
            int maxPending,
            OperatorSubtaskState snapshot,
            Consumer<HarnessHandler> onStart)
            throws Exception {
        DurableHarness harness =
                DurableHarness.setup()
                        .limits(maxInFlight, maxPending)
                        .checkpoints(INTERVAL, DRAIN_TIMEOUT)
                        .open(snapshot);
        harness.operator.host().onStart(onStart);
        harness.runMails();
        return harness;
    }

    void duringTheWait(DurableHarness harness, String what, ThrowingRunnable<Exception> mail) {
        harness.operator
                .mailbox()
                .execute(
                        () -> {
                            log.add(what);
                            mail.run();
                        },
                        what);
    }

    /** Completes a checkpoint; what it releases goes on in a later mail. */
    static void tell(DurableHarness harness, long checkpoint) throws Exception {
        harness.flink.notifyOfCompletedCheckpoint(checkpoint);
    }

    /**
     * In the test a mail ends the wait; in a task nothing would but the timer, beside the watch's.
     */
    static void setTimeFiredByTimer(DurableHarness harness, long time) throws Exception {
        assertThat(harness.flink.getProcessingTimeService().getNumActiveTimers()).isEqualTo(2);
        harness.flink.setProcessingTime(time);
    }
}
