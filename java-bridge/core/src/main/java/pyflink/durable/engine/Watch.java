package pyflink.durable.engine;

import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks now and then whether an operator that has work gets on with it, and says in the log what
 * waits for what if it does not. Works on the task thread, but where it is said.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>It tells of work of which nothing moves. A job whose handlers waited for each other was
 *       RUNNING for ever, without a line.
 *   <li>It tells of checkpoints that do not complete while calls at the gate wait for one, or while
 *       the operator is full, even if work moves: a full operator may be what keeps the barrier
 *       away, and all that it does meanwhile is done again after a failure.
 *   <li>It goes by the clock, in checkpoint intervals: a checkpoint that does not reach the
 *       operator cannot be counted.
 *   <li>A call may take an hour, and a sleep a month. While a call is under way it has {@link
 *       #OUTSIDE} times the patience, since others may wait for what its handler holds; of sleeps
 *       alone it tells nothing.
 *   <li>It tells again each time that the state has lasted twice as long. One line for each
 *       checkpoint would bury the reason.
 * </ul>
 */
final class Watch<K, IN> {

    /** For so many checkpoint intervals the work may stand still. */
    static final int CHECKPOINTS = 3;

    static final long LEAST_PATIENCE_MILLIS = 60_000;

    /** So many times as long if a call is under way. */
    static final int OUTSIDE = 10;

    private static final int LOOKS = 12;

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    /** A state that is told of when it has lasted for long, and each time it has twice as long. */
    private final class Standstill {
        private long due = patience;
        private long told;

        /** Whether it is time to look into it. */
        boolean isDue(long millis) {
            if (millis < patience) {
                due = patience;
                told = 0;
            } else if (told > 0) {
                told = millis;
            }
            if (millis < due) {
                return false;
            }
            due = 2 * millis;
            return true;
        }
    }

    private final String operator;
    private final Limits limits;
    private final InvocationScheduler<K, IN> scheduler;
    private final Gate<K, IN> gate;
    private final Valve valve;
    private final Progress progress;
    private final CheckpointNews checkpoints;
    private final ProcessingTimeService timers;
    private final long patience;
    private final Standstill ofWork;
    private final Standstill ofCheckpoints;

    private long moves;
    private long movedAt;
    private boolean inputEnded;
    private volatile long stalledSeconds;

    Watch(
            String operator,
            Limits limits,
            InvocationScheduler<K, IN> scheduler,
            Gate<K, IN> gate,
            Valve valve,
            Progress progress,
            CheckpointNews checkpoints,
            ProcessingTimeService timers) {
        this.operator = operator;
        this.limits = limits;
        this.scheduler = scheduler;
        this.gate = gate;
        this.valve = valve;
        this.progress = progress;
        this.checkpoints = checkpoints;
        this.timers = timers;
        this.patience = Math.max(LEAST_PATIENCE_MILLIS, CHECKPOINTS * limits.checkpointInterval);
        this.movedAt = timers.getCurrentProcessingTime();
        this.ofWork = new Standstill();
        this.ofCheckpoints = new Standstill();
        lookAgain();
    }

    private void lookAgain() {
        long next = timers.getCurrentProcessingTime() + patience / LOOKS;
        timers.registerTimer(next, time -> look());
    }

    private void look() {
        lookAgain();
        long now = timers.getCurrentProcessingTime();
        if (!scheduler.hasInFlight() || progress.moves() != moves) {
            moves = progress.moves();
            movedAt = now;
        }
        long still = now - movedAt;
        long without = needsCheckpoint() ? checkpoints.millisWithout() : 0;
        boolean checkpointsAreDue = ofCheckpoints.isDue(without);
        boolean workIsDue = ofWork.isDue(still);
        if (checkpointsAreDue || workIsDue) {
            tell(still, without, checkpointsAreDue);
        }
        stalledSeconds = Math.max(ofWork.told, ofCheckpoints.told) / 1_000;
    }

    private boolean needsCheckpoint() {
        return limits.checkpointInterval > 0 && (gate.size() > 0 || scheduler.isFull());
    }

    private void tell(long still, long without, boolean checkpointsAreDue) {
        Waits waits = Waits.of(scheduler, gate, timers.getCurrentProcessingTime());
        String what = null;
        if (checkpointsAreDue) {
            ofCheckpoints.told = without;
            what = "waits for a checkpoint, and none has completed for " + without / 1_000 + " s";
        } else if (ofCheckpoints.told == 0 && still >= patienceWith(waits)) {
            ofWork.told = still;
            what = "has work of which nothing has moved for " + still / 1_000 + " s";
        }
        if (what != null) {
            LOG.warn("Operator {} {}: {}; {}; {}.", operator, what, waits, input(), checkpoints());
        }
    }

    private long patienceWith(Waits waits) {
        if (waits.isForTimersAlone()) {
            return Long.MAX_VALUE;
        }
        return waits.isForOutside() ? OUTSIDE * patience : patience;
    }

    private String input() {
        if (inputEnded) {
            return "its input has ended";
        }
        if (!scheduler.isFull()) {
            return "it takes in input";
        }
        return valve.isOpen()
                ? "it is full, and takes in input through its valve"
                : "it is full (max_pending), and takes in no input";
    }

    private String checkpoints() {
        return limits.checkpointInterval > 0
                ? checkpoints.toString()
                : "the job takes no checkpoints";
    }

    void inputEnded() {
        inputEnded = true;
    }

    /**
     * For how long there has been a state that it has told of; 0 while there is none. Any thread.
     */
    long stalledSeconds() {
        return stalledSeconds;
    }
}
