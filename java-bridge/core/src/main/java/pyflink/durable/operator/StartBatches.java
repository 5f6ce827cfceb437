package pyflink.durable.operator;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Decides when handlers start, and how many in one step. A step costs as much as the start of a
 * handler: the interpreter's lock changes hands twice. So inputs that come thick and fast are
 * collected for a moment; one that comes after a pause starts at once.
 *
 * <p>A step holds the task: no checkpoint is taken meanwhile. So as many handlers start in one as
 * are expected to take {@link #STEP_NANOS}, going by the step before, and at first one. Handlers
 * that block, in a synchronous call, start one by one therefore, and mails of the task come
 * between. What a step waits for the interpreter's lock counts, too, but does not grow with the
 * number of handlers, so that it does not keep them apart.
 */
final class StartBatches {

    /** Inputs are collected for so long. */
    static final long COLLECT_MILLIS = 1;

    /** More in a step save nothing. */
    private static final int MOST = 128;

    private static final long STEP_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private final ProcessingTimeService timers;
    private final long collectNanos;
    private final Runnable askToStart;
    private final LongSupplier nanoTime;
    private int size;
    private long began;
    private long ended;
    private boolean timerSet;
    private boolean tookLong;

    /**
     * @param collectMillis how long inputs are collected; 0 has each start at once
     * @param askToStart sends the mail that starts what may start. The timer itself starts nothing:
     *     Flink lets the task go on after a timer that failed, and the rest of a failed step would
     *     be taken for the next one's
     * @param nanoTime the clock
     */
    StartBatches(
            ProcessingTimeService timers,
            long collectMillis,
            Runnable askToStart,
            LongSupplier nanoTime) {
        this.timers = timers;
        this.collectNanos = TimeUnit.MILLISECONDS.toNanos(collectMillis);
        this.askToStart = askToStart;
        this.nanoTime = nanoTime;
        this.ended = nanoTime.getAsLong() - collectNanos;
        this.size = collectMillis == 0 ? MOST : 1;
    }

    /**
     * Whether so many inputs are to start now. If not, they are started within a millisecond or
     * two.
     */
    boolean areDue(int inputs) {
        if (inputs >= MOST || nanoTime.getAsLong() - ended >= collectNanos) {
            return true;
        }
        if (!timerSet) {
            timerSet = true;
            timers.registerTimer(
                    timers.getCurrentProcessingTime(),
                    time -> {
                        timerSet = false;
                        askToStart.run();
                    });
        }
        return false;
    }

    /** How many handlers may start in the next step. */
    int size() {
        return size;
    }

    /** Whether the last step took so long that the task's mails are to have their turn. */
    boolean tookLong() {
        return tookLong;
    }

    /** A step begins that starts handlers. */
    void stepBegins() {
        began = nanoTime.getAsLong();
    }

    /** It has ended, and has started so many. */
    void stepEnded(int handlers) {
        ended = nanoTime.getAsLong();
        if (collectNanos == 0) {
            return;
        }
        long took = Math.max(1, ended - began);
        tookLong = took > STEP_NANOS;
        long fitting = handlers * STEP_NANOS / took;
        size = (int) Math.max(1, Math.min(Math.min(MOST, 2L * size), fitting));
    }
}
