package pyflink.durable.engine;

import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Ends the wait at the end of the input that would have no end: while a job is drained Flink takes
 * no checkpoints, and the calls at the gate wait for one. Works on the task thread only.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>What counts is that checkpoints complete. Snapshots alone let no call through: with the
 *       limit set back by each of them, a job whose checkpoints all failed waited for ever.
 *   <li>It counts as soon as any call is at the gate and nothing moves, unless another call is
 *       under way, which may take as long as it takes. Handlers that wait for a thread or a lock
 *       which one at the gate has run, too, as far as the operator can tell, and would keep it
 *       silent.
 * </ul>
 */
final class Drain<K, IN> {

    private final InvocationScheduler<K, IN> scheduler;
    private final Gate<K, IN> gate;
    private final Progress progress;
    private final ProcessingTimeService timers;
    private final WaitLimit wait;
    private final long millis;
    private long moves;

    /**
     * @param millis for how long no checkpoint may complete and nothing move
     */
    Drain(
            InvocationScheduler<K, IN> scheduler,
            Gate<K, IN> gate,
            Progress progress,
            ProcessingTimeService timers,
            long millis) {
        this.scheduler = scheduler;
        this.gate = gate;
        this.progress = progress;
        this.timers = timers;
        this.wait = new WaitLimit(timers);
        this.millis = millis;
    }

    /**
     * To be called before each wait for a mail.
     *
     * @throws IllegalStateException if there may be no end of it
     */
    void requireCheckpoints() {
        long newMoves = progress.moves();
        if (gate.size() == 0 || newMoves != moves) {
            moves = newMoves;
            wait.reset();
        }
        if (gate.size() > 0 && wait.isOver(millis) && !hasCallsUnderWay()) {
            throw new IllegalStateException(
                    String.format(
                            "The input has ended, %d calls wait for a checkpoint, and none has"
                                    + " completed for %d ms (drain_timeout and one checkpoint"
                                    + " interval). Flink takes none while it drains a job: stop it"
                                    + " with `stop` without `--drain`, and the savepoint holds what"
                                    + " is in flight. It takes none while a savepoint is under way,"
                                    + " either, whose barrier is not read behind the end of the"
                                    + " input: take it before. If neither is the case, its"
                                    + " checkpoints fail or take longer than that: look for the"
                                    + " reason in Flink's log, or raise drain_timeout.",
                            gate.size(), millis));
        }
    }

    private boolean hasCallsUnderWay() {
        return Waits.of(scheduler, gate, timers.getCurrentProcessingTime()).isForOutside();
    }

    /** Another checkpoint has completed. */
    void checkpointCompleted() {
        wait.reset();
    }
}
