package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.RejectedExecutionException;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.journal.Call;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.Input;
import pyflink.durable.state.ParkedHead;
import pyflink.durable.state.ParkedState;

/**
 * Parks invocations that wait for nothing but time or signals: drops them from memory, and has them
 * go on from their journal when it is time. Works on the task thread only.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>One that has a call under way, at the gate or with a call log, stays awake. Its outcome
 *       would come to nobody.
 *   <li>What it waits for is what its host says. The journal holds the timeout around a call that
 *       has long ended, too: one that went by it would never be parked, or go on for nothing.
 *   <li>All that has happened by then is given to handlers before anything is parked, in the same
 *       mail. A signal that is on its way to a handler would find it gone, and wake nobody.
 *   <li>Input and journal are in the keyed state when the mail ends. There need not be a
 *       checkpoint: keyed state is part of the next one, and a failure before it restores what was
 *       in flight.
 *   <li>It holds no watermark back, unless the job wants it: see {@link ParkedWatermarks}. The
 *       watermark that ends all time waits for the end of the input, see {@link InvocationEngine}.
 *   <li>It goes on through the line of those that wait for a place. A hundred thousand deadlines in
 *       a second would otherwise be a hundred thousand handlers in memory, in one mail, with no
 *       checkpoint between.
 *   <li>When there is no place left, or the operator is full, all are parked that can be: the
 *       signal that a handler waits for may stand behind the inputs that have no room.
 * </ul>
 *
 * <p>Over 300 lines: who is parked and who goes on share the queue, the count and the timer.
 */
final class Parking<K, IN> {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private static final long LOOK_MILLIS = 1_000;
    private static final long LOOK_MILLIS_WITHOUT_ROOM = 50;

    /** One that does not let itself be parked is not asked for so long. */
    private static final long ASK_AGAIN_MILLIS = 1_000;

    /** So many are parked, or go on, in a mail. */
    private static final int MOST = 512;

    private final EngineParts.Base<K, IN> base;
    private final InvocationScheduler<K, IN> scheduler;
    private final HandlerSteps<K, IN> steps;
    private final InFlightState<K, IN> inFlight;
    private final ParkedState<K, IN> state;
    private final long parkAfter;

    /** When the timer comes that is set; {@link Long#MAX_VALUE} if none is. */
    private long timer = Long.MAX_VALUE;

    private boolean stopped;

    Parking(
            EngineParts.Base<K, IN> base,
            InvocationScheduler<K, IN> scheduler,
            HandlerSteps<K, IN> steps,
            InFlightState<K, IN> inFlight,
            ParkedState<K, IN> state) {
        this.base = base;
        this.scheduler = scheduler;
        this.steps = steps;
        this.inFlight = inFlight;
        this.state = state;
        this.parkAfter = base.limits.parkAfter; // negative: only what was parked before goes on
        if (parkAfter >= 0) {
            lookAgain(Math.min(LOOK_MILLIS, parkAfter + 1));
        }
        setTimer();
    }

    // ------------------------------------------------------------------ parking

    private void lookAgain(long millis) {
        timers().registerTimer(now() + millis, time -> send("park handlers that wait"));
    }

    private void send(String description) {
        try {
            base.mailbox.execute(this::look, description);
        } catch (RejectedExecutionException e) {
            LOG.debug("Operator {} is closing, no mail is taken", base.name, e);
        }
    }

    private void look() throws Exception {
        if (stopped) {
            return;
        }
        steps.resume();
        boolean noRoom = !scheduler.hasPlace() || scheduler.isFull();
        List<Object> waiting = waiting(noRoom ? 0 : parkAfter);
        int count = waiting.isEmpty() ? 0 : park(waiting);
        if (count > 0) {
            steps.resume(); // what they held may have others go on, and there is room now
        }
        if (waiting.size() == MOST || (count > 0 && noRoom)) {
            send("park more handlers that wait"); // and those that have got the places
        } else {
            lookAgain(noRoom ? LOOK_MILLIS_WITHOUT_ROOM : Math.min(LOOK_MILLIS, parkAfter + 1));
        }
    }

    /** The ids of those that have waited for so long, as far as the journal tells. */
    private List<Object> waiting(long millis) {
        long now = now();
        List<Object> found = new ArrayList<>();
        Iterator<Invocation<K, IN>> running = scheduler.running().iterator();
        while (found.size() < MOST && running.hasNext()) {
            Invocation<K, IN> invocation = running.next();
            long quiet = now - invocation.quietSince(now);
            if (quiet >= millis && !invocation.staysAwake(now) && mayWait(invocation)) {
                found.add(invocation.id());
            }
        }
        return found;
    }

    private static boolean mayWait(Invocation<?, ?> invocation) {
        if (!invocation.isActive() || invocation.hasEnded() || invocation.waitsForLog()) {
            return false;
        }
        boolean waits = false;
        for (Call call : invocation.journal().calls()) {
            boolean isOpen = !call.status().isTerminal();
            if (isOpen && call.due() == Call.NOT_SCHEDULED) {
                return false; // it is under way
            }
            waits |= isOpen;
        }
        return waits;
    }

    /** Parks those of them that let themselves be; tells how many. */
    private int park(List<Object> waiting) throws Exception {
        long now = now();
        for (Object id : waiting) {
            scheduler.running((long) id).stayAwake(now + ASK_AGAIN_MILLIS);
        }
        Object[] letGo = base.host.park(waiting.toArray());
        for (int i = 0; i < letGo.length; i += 3) {
            Invocation<K, IN> invocation = scheduler.running(((Number) letGo[i]).longValue());
            KeyLane<K, IN> lane = // whose key it selects
                    scheduler.park(invocation, state, base.parkedWatermarks);
            state.park(
                    new ParkedHead(
                            ((Number) letGo[i + 1]).longValue(),
                            now,
                            lane.nextSequence(),
                            lane.size() - 1,
                            names((Object[]) letGo[i + 2])));
            base.invocations.end(invocation);
        }
        int count = letGo.length / 3;
        base.counters.add("parkedTotal", count);
        base.watermarks.release();
        setTimer();
        return count;
    }

    private static List<String> names(Object[] signals) {
        return Arrays.asList(Arrays.copyOf(signals, signals.length, String[].class));
    }

    // ------------------------------------------------------------------ going on

    private ProcessingTimeService timers() {
        return base.task.getProcessingTimeService();
    }

    private long now() {
        return timers().getCurrentProcessingTime();
    }

    private void setTimer() {
        long next = state.nextWake();
        if (next < timer) {
            timer = next;
            timers().registerTimer(
                            next,
                            time -> {
                                timer = Long.MAX_VALUE;
                                steps.askToStart();
                            });
        }
    }

    /** Puts those in line whose time has come, in order; no more than may run. */
    void wakeDue() throws Exception {
        if (state.count() == 0) {
            return;
        }
        long now = now();
        K key;
        while (scheduler.wokenCount() < Math.min(MOST, base.limits.maxInFlight)
                && (key = state.takeDue(now)) != null) {
            wake(key);
        }
        if (state.nextWake() > now) { // otherwise those in line make room first
            setTimer();
        }
    }

    /**
     * Whether others are due, and may run: those that went on may have ended in the same step, of
     * which nobody tells the task.
     */
    boolean hasMoreToWake() {
        return state.count() > 0 && scheduler.hasPlace() && state.nextWake() <= now();
    }

    private void wake(K key) throws Exception {
        ParkedHead head = state.head();
        TreeMap<Long, Input<IN>> inputs = state.takeInputs(head);
        for (Input<IN> input : inputs.values()) {
            Input<IN> notLate = base.parkedWatermarks.wake(input, base.watermarks.last());
            inFlight.putInput(notLate);
            inputs.put(notLate.sequence(), notLate);
        }
        scheduler.wake(key, inputs, head.nextSequence());
        base.counters.add("woken", 1);
    }

    /** For how long the one has been parked that is so for longest; any thread. */
    long oldestWaitMillis() {
        long since = state.oldestSince();
        return since == Long.MAX_VALUE ? 0 : Math.max(0, now() - since);
    }

    /** How many invocations are parked; any thread. */
    int parkedCount() {
        return state.count();
    }

    /** Mails do nothing any more. */
    void stop() {
        stopped = true;
    }
}
