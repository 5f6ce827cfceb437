package pyflink.durable.operator;

import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Tells whether a wait on the task thread has lasted for longer than it may. Its timer is a mail of
 * the task, so it ends the yield of a loop that asks again.
 */
final class WaitLimit {

    private final ProcessingTimeService timers;
    private final long millis;
    @Nullable private Long since;
    private boolean timerSet;

    WaitLimit(ProcessingTimeService timers, long millis) {
        this.timers = timers;
        this.millis = millis;
    }

    /** Whether it has; the first question after a {@link #reset} is when the wait begins. */
    boolean isOver() {
        long now = timers.getCurrentProcessingTime();
        if (since == null) {
            since = now;
        }
        if (now - since >= millis) {
            return true;
        }
        if (!timerSet) {
            timerSet = true;
            timers.registerTimer(since + millis, time -> timerSet = false);
        }
        return false;
    }

    /** There is no wait any more, or a new one. */
    void reset() {
        since = null;
    }

    long millis() {
        return millis;
    }
}
