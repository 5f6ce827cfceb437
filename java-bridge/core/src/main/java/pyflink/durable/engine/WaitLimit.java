package pyflink.durable.engine;

import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Tells for how long a wait on the task thread has lasted. Its timer is a mail of the task, so it
 * ends the yield of a loop that asks again.
 */
final class WaitLimit {

    private final ProcessingTimeService timers;
    @Nullable private Long since;
    private long nextTimer = Long.MAX_VALUE;

    WaitLimit(ProcessingTimeService timers) {
        this.timers = timers;
    }

    /**
     * Whether it has lasted for so long; the first question after a {@link #reset} is when the wait
     * begins.
     */
    boolean isOver(long millis) {
        long now = timers.getCurrentProcessingTime();
        if (since == null) {
            since = now;
        }
        long over = since + millis;
        if (now >= over) {
            return true;
        }
        if (over < nextTimer) {
            nextTimer = over;
            timers.registerTimer(over, this::timerFired);
        }
        return false;
    }

    private void timerFired(long time) {
        if (time >= nextTimer) {
            nextTimer = Long.MAX_VALUE;
        }
    }

    /** There is no wait any more, or a new one. */
    void reset() {
        since = null;
    }
}
