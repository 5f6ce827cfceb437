package pyflink.durable.engine;

import javax.annotation.Nullable;
import pyflink.durable.engine.Signals.Accepted;
import pyflink.durable.state.InFlightState;

/**
 * Takes signals in and tells those that they are for: the invocation of the key that runs, or the
 * one that is parked. Works on the task thread only.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>One that is in line, to start or to go on, is told nothing. It looks when it comes to its
 *       wait, behind all that its journal answers.
 *   <li>An invocation has ended if its number is below that of the first input of its key which has
 *       not: an answer to it would wait for a week, and be told of then. After a failure inputs may
 *       be back that had ended, so nothing is noted of an end.
 * </ul>
 */
final class SignalDesk<K, IN> {

    private final Signals<K, IN> signals;
    private final InvocationScheduler<K, IN> scheduler;
    @Nullable private final ParkedKeys<K, IN> parked;
    private final InFlightState<K, IN> inFlight;
    private final HandlerSteps<K, IN> steps;

    /**
     * @param parked null if nothing is parked
     */
    SignalDesk(
            Signals<K, IN> signals,
            InvocationScheduler<K, IN> scheduler,
            @Nullable ParkedKeys<K, IN> parked,
            InFlightState<K, IN> inFlight,
            HandlerSteps<K, IN> steps) {
        this.signals = signals;
        this.scheduler = scheduler;
        this.parked = parked;
        this.inFlight = inFlight;
        this.steps = steps;
    }

    /** Takes a signal of the selected key in. */
    void accept(K key, byte[] content) throws Exception {
        Accepted accepted = signals.accept(content, () -> openFrom(key));
        Invocation<K, IN> running = scheduler.runningOf(key);
        if (accepted == Accepted.NOTHING_NEW) {
            return;
        }
        if (running != null && signals.tell(running, accepted)) {
            steps.askToResume();
        } else if (running == null && parked != null && parked.signalled(key, signals.lastName())) {
            steps.askToStart();
        }
    }

    private long openFrom(K key) throws Exception {
        KeyLane<K, IN> lane = scheduler.lane(key);
        if (lane != null) {
            return lane.isEmpty() ? lane.nextSequence() : lane.head().input().sequence();
        }
        Long first = parked == null ? null : parked.firstSequence();
        return first != null ? first : inFlight.nextSequence();
    }
}
