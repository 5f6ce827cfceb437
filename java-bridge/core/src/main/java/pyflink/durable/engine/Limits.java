package pyflink.durable.engine;

import java.io.Serializable;

/** How much an operator takes in, and how long it waits for checkpoints. */
public final class Limits implements Serializable {

    private static final long serialVersionUID = 1L;

    /** How often a person might take a savepoint of a job without checkpoints. */
    private static final long PERIOD_WITHOUT_CHECKPOINTS = 10_000;

    final int maxInFlight;
    final int maxPending;
    final long checkpointInterval;
    final long drainTimeout;
    final long collectMillis;

    /** After how many milliseconds of waiting invocations are parked; negative for never. */
    final long parkAfter;

    /** The limits of a job, whose inputs are collected for {@link StartBatches#COLLECT_MILLIS}. */
    public Limits(int maxInFlight, int maxPending, long checkpointInterval, long drainTimeout) {
        this(
                maxInFlight,
                maxPending,
                checkpointInterval,
                drainTimeout,
                StartBatches.COLLECT_MILLIS);
    }

    /**
     * @param maxInFlight how many invocations of one subtask run at a time
     * @param maxPending how many further inputs one subtask accepts
     * @param checkpointInterval milliseconds between the job's checkpoints, 0 if it takes none
     * @param drainTimeout how many milliseconds late a checkpoint may be at the end of the input,
     *     when only calls that wait for it are left
     * @param collectMillis for how long inputs are collected that start together, see {@link
     *     StartBatches}
     */
    public Limits(
            int maxInFlight,
            int maxPending,
            long checkpointInterval,
            long drainTimeout,
            long collectMillis) {
        this(maxInFlight, maxPending, checkpointInterval, drainTimeout, collectMillis, -1);
    }

    private Limits(
            int maxInFlight,
            int maxPending,
            long checkpointInterval,
            long drainTimeout,
            long collectMillis,
            long parkAfter) {
        this.maxInFlight = maxInFlight;
        this.maxPending = maxPending;
        this.checkpointInterval = checkpointInterval;
        this.drainTimeout = drainTimeout;
        this.collectMillis = collectMillis;
        this.parkAfter = parkAfter;
    }

    /** The same of an operator that parks invocations after so many milliseconds. */
    public Limits withParking(long millis) {
        return new Limits(
                maxInFlight, maxPending, checkpointInterval, drainTimeout, collectMillis, millis);
    }

    /** Milliseconds in which a snapshot is to be expected. */
    long checkpointPeriod() {
        return checkpointInterval > 0 ? checkpointInterval : PERIOD_WITHOUT_CHECKPOINTS;
    }
}
