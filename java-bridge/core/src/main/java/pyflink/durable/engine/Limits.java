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

    /** How many inputs of a key may wait behind the first; 0 for any number. */
    final int maxWaitingPerKey;

    /** Whether what is parked holds watermarks back. */
    final boolean parkedHoldWatermarks;

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
        this(
                maxInFlight,
                maxPending,
                checkpointInterval,
                drainTimeout,
                collectMillis,
                -1,
                0,
                false);
    }

    private Limits(
            int maxInFlight,
            int maxPending,
            long checkpointInterval,
            long drainTimeout,
            long collectMillis,
            long parkAfter,
            int maxWaitingPerKey,
            boolean parkedHoldWatermarks) {
        this.maxInFlight = maxInFlight;
        this.maxPending = maxPending;
        this.checkpointInterval = checkpointInterval;
        this.drainTimeout = drainTimeout;
        this.collectMillis = collectMillis;
        this.parkAfter = parkAfter;
        this.maxWaitingPerKey = maxWaitingPerKey;
        this.parkedHoldWatermarks = parkedHoldWatermarks;
    }

    /** The same of an operator that parks invocations after so many milliseconds. */
    public Limits withParking(long millis) {
        return with(millis, maxWaitingPerKey, parkedHoldWatermarks);
    }

    /** The same of one that takes so many inputs of a key behind the first; 0 for any number. */
    public Limits withMaxWaitingPerKey(int inputs) {
        return with(parkAfter, inputs, parkedHoldWatermarks);
    }

    /** The same of one that sends no watermark past what is parked, or does. */
    public Limits withParkedHoldingWatermarks(boolean hold) {
        return with(parkAfter, maxWaitingPerKey, hold);
    }

    private Limits with(long newParkAfter, int newMaxWaitingPerKey, boolean newParkedHold) {
        return new Limits(
                maxInFlight,
                maxPending,
                checkpointInterval,
                drainTimeout,
                collectMillis,
                newParkAfter,
                newMaxWaitingPerKey,
                newParkedHold);
    }

    /** Milliseconds in which a snapshot is to be expected. */
    long checkpointPeriod() {
        return checkpointInterval > 0 ? checkpointInterval : PERIOD_WITHOUT_CHECKPOINTS;
    }
}
