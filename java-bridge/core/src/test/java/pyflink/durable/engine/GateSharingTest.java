package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Queue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/**
 * Handlers at the gate hold what the running ones wait for: one of the threads of {@code def}
 * handlers, or a lock. Whoever has the places, all come to their end.
 */
@Timeout(60)
class GateSharingTest {

    private static final int KEYS = 30;

    /** A few of something that a handler holds from before its gated call until its end. */
    private static final class Shared {
        private final Queue<HarnessHandler> waiting = new ArrayDeque<>();
        private int free;

        Shared(int free) {
            this.free = free;
        }

        void started(HarnessHandler handler) {
            waiting.add(handler);
            next();
        }

        void released(HarnessHandler handler) {
            handler.end();
            free++;
            next();
        }

        private void next() {
            while (free > 0 && !waiting.isEmpty()) {
                free--;
                waiting.remove().callGated(0, "charge");
            }
        }
    }

    @Test
    void threadsThatWaitAtTheGateWithMoreReadyKeysThanPlaces() throws Exception {
        allEnd(4, 100, 3);
    }

    @Test
    void oneLockForAll() throws Exception {
        allEnd(4, 100, 1);
    }

    @Test
    void aSinglePlace() throws Exception {
        allEnd(1, 100, 2);
    }

    private void allEnd(int maxInFlight, int maxPending, int shared) throws Exception {
        try (DurableHarness harness =
                DurableHarness.setup().limits(maxInFlight, maxPending).open()) {
            Shared threads = new Shared(shared);
            harness.operator.host().onStart(threads::started);
            harness.operator.host().onRelease(threads::released);
            for (int i = 0; i < KEYS; i++) {
                harness.send("key" + i, "1");
            }
            int checkpoints = 0;
            while (harness.operator.engine().scheduler().hasInFlight()) {
                assertThat(checkpoints++).as("checkpoints").isLessThanOrEqualTo(KEYS);
                harness.complete(harness.checkpoint());
            }
            assertThat(harness.outputs()).hasSize(KEYS);
            assertThat(harness.operator.engine().scheduler().runningCount()).isZero();
        }
    }
}
