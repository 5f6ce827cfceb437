package pyflink.durable.engine;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Decides when handlers start. A step costs as much as the start of many handlers: the
 * interpreter's lock changes hands twice, and other threads take their turn with it. So inputs that
 * come thick and fast are collected for a moment; one that comes after a pause starts at once.
 *
 * <p>A step holds the task: no checkpoint is taken meanwhile. Handlers that block, in a synchronous
 * call, would hold it for as many calls as there are inputs. So a mail starts no more of them after
 * {@link #MAIL_NANOS}. Inputs that the host had no time for have crossed in vain, so the next step
 * hands over fewer: twice as many as it started.
 */
final class StartBatches {

    /** Inputs are collected for so long. */
    static final long COLLECT_MILLIS = 1;

    /** More in a step save nothing. */
    static final int MOST = 512;

    private static final long MAIL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private final ProcessingTimeService timers;
    private final long collectNanos;
    private final Runnable askToStart;
    private final LongSupplier nanoTime;
    private int size;
    private long mailBegan;
    private long freeSince;
    private boolean timerSet;

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
        this.freeSince = nanoTime.getAsLong() - collectNanos;
        this.size = collectMillis == 0 ? MOST : 1;
    }

    /**
     * Whether so many inputs are to start now. If not, they are started within a millisecond or
     * two.
     */
    boolean areDue(int inputs) {
        if (inputs >= MOST || nanoTime.getAsLong() - freeSince >= collectNanos) {
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

    /** How many inputs go into the next step. */
    int size() {
        return size;
    }

    /** A step has started so many of the handlers that it was given. */
    void stepEnded(int given, int started) {
        if (started < given) {
            size = 2 * started;
        } else if (size < MOST) {
            size = Math.min(MOST, 2 * size);
        }
    }

    /** Handlers are about to go on, in this mail. */
    void mailBegins() {
        mailBegan = nanoTime.getAsLong();
    }

    /** How long this mail may go on starting handlers; 0 if others are to have their turn. */
    long millisLeft() {
        long nanos = MAIL_NANOS - (nanoTime.getAsLong() - mailBegan);
        return Math.max(0, TimeUnit.NANOSECONDS.toMillis(nanos));
    }

    /**
     * The task has run what may run, and has applied what came of it. An input that comes a moment
     * later has waited for that, and others with it: it did not come after a pause.
     */
    void taskIsFree() {
        freeSince = nanoTime.getAsLong();
    }
}
