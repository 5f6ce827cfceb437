package pyflink.durable.operator;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * Decides when handlers start, and how many in one step. A step costs as much as the start of a
 * handler: the interpreter's lock changes hands twice. So inputs that come thick and fast are
 * collected for a moment; one that comes after a pause starts at once.
 *
 * <p>A step holds the task: no checkpoint is taken meanwhile. Handlers that block, in a synchronous
 * call, start one by one therefore, after a few steps that were too long.
 */
final class StartBatches {

    /** Inputs are collected for so long. */
    static final long COLLECT_MILLIS = 1;

    /** More in a step save nothing. */
    private static final int MOST = 128;

    private static final long LONG_STEP = TimeUnit.MILLISECONDS.toNanos(5);

    private final ProcessingTimeService timers;
    private final long collectNanos;
    private final ThrowingRunnable<Exception> start;
    private final LongSupplier nanoTime;
    private int size = MOST;
    private long began;
    private long ended;
    private boolean timerSet;

    /**
     * @param collectMillis how long inputs are collected; 0 has each start at once
     * @param start starts what may start; called on the task thread
     * @param nanoTime the clock
     */
    StartBatches(
            ProcessingTimeService timers,
            long collectMillis,
            ThrowingRunnable<Exception> start,
            LongSupplier nanoTime) {
        this.timers = timers;
        this.collectNanos = TimeUnit.MILLISECONDS.toNanos(collectMillis);
        this.start = start;
        this.nanoTime = nanoTime;
        this.ended = nanoTime.getAsLong() - collectNanos;
    }

    /**
     * Whether so many inputs are to start now. If not, they are started within a millisecond or
     * two.
     */
    boolean areDue(int inputs) {
        if (inputs >= size || nanoTime.getAsLong() - ended >= collectNanos) {
            return true;
        }
        if (!timerSet) {
            timerSet = true;
            timers.registerTimer(
                    timers.getCurrentProcessingTime(),
                    time -> {
                        timerSet = false;
                        start.run();
                    });
        }
        return false;
    }

    /** How many handlers may start in the next step. */
    int size() {
        return size;
    }

    /** A step begins that starts handlers. */
    void stepBegins() {
        began = nanoTime.getAsLong();
    }

    /** It has ended. */
    void stepEnded() {
        ended = nanoTime.getAsLong();
        size = ended - began > LONG_STEP ? Math.max(1, size / 2) : Math.min(MOST, size * 2);
    }
}
