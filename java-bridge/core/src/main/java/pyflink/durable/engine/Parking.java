package pyflink.durable.engine;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.RejectedExecutionException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.SlotKind;
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
 *   <li>All that has happened by then is given to handlers before anything is parked, in the same
 *       mail. A signal that is on its way to a handler would find it gone, and wake nobody.
 *   <li>Input and journal are in the keyed state when the mail ends. There need not be a
 *       checkpoint: keyed state is part of the next one, and a failure before it restores what was
 *       in flight.
 *   <li>A parked key has no lane. An input of it goes to the state behind the others; put into a
 *       lane of its own it would overtake them.
 *   <li>It holds no watermark back, and so its outputs would be late: when it goes on, they get a
 *       timestamp behind the last watermark, which stands with its input from then on. The
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

    /** One that goes on within so many milliseconds is not worth it. */
    private static final long SOON = 1_000;

    private static final long LOOK_MILLIS = 1_000;
    private static final long LOOK_MILLIS_WITHOUT_ROOM = 50;

    /** So many are parked, or go on, in a mail. */
    private static final int MOST = 512;

    private final String operator;
    private final FlinkTask task;
    private final MailboxExecutor mailbox;
    private final HandlerHost<K, IN> host;
    private final RunningInvocations invocations;
    private final InvocationScheduler<K, IN> scheduler;
    private final WatermarkHold watermarks;
    private final HandlerSteps<K, IN> steps;
    private final DurableCounters counters;
    private final InFlightState<K, IN> inFlight;
    private final ParkedState<K, IN> state;
    private final long parkAfter;
    private final int maxInFlight;
    private final long restoredWatermark;

    /** When the timer comes that is set; {@link Long#MAX_VALUE} if none is. */
    private long timer = Long.MAX_VALUE;

    private volatile int parked;
    private boolean stopped;

    /**
     * @param operator its name
     * @param mailbox of the lowest priority
     * @param parkAfter after how many milliseconds of waiting; negative for never, when only what
     *     an earlier job has parked goes on
     * @param restoredWatermark the last one before a failure
     */
    Parking(
            String operator,
            FlinkTask task,
            MailboxExecutor mailbox,
            HandlerHost<K, IN> host,
            RunningInvocations invocations,
            InvocationScheduler<K, IN> scheduler,
            WatermarkHold watermarks,
            HandlerSteps<K, IN> steps,
            DurableCounters counters,
            InFlightState<K, IN> inFlight,
            ParkedState<K, IN> state,
            long parkAfter,
            int maxInFlight,
            long restoredWatermark) {
        this.operator = operator;
        this.task = task;
        this.mailbox = mailbox;
        this.host = host;
        this.invocations = invocations;
        this.scheduler = scheduler;
        this.watermarks = watermarks;
        this.steps = steps;
        this.counters = counters;
        this.inFlight = inFlight;
        this.state = state;
        this.parkAfter = parkAfter;
        this.maxInFlight = maxInFlight;
        this.restoredWatermark = restoredWatermark;
        this.parked = state.isEmpty() ? 0 : state.size();
        if (parkAfter >= 0) {
            lookAgain(Math.min(LOOK_MILLIS, parkAfter + 1));
        }
        setTimer();
    }

    // ------------------------------------------------------------------ parking

    private void lookAgain(long millis) {
        ProcessingTimeService timers = task.getProcessingTimeService();
        timers.registerTimer(now() + millis, time -> send("park handlers that wait"));
    }

    private void send(String description) {
        try {
            mailbox.execute(this::look, description);
        } catch (RejectedExecutionException e) {
            LOG.debug("Operator {} is closing, no mail is taken", operator, e);
        }
    }

    private void look() throws Exception {
        if (stopped) {
            return;
        }
        steps.resume();
        boolean noRoom = !scheduler.hasPlace() || scheduler.isFull();
        Map<Object, ParkedHead> waiting = waiting(noRoom ? 0 : parkAfter);
        int count = waiting.isEmpty() ? 0 : park(waiting);
        if (count > 0) {
            steps.resume(); // what they held may have others go on, and there is room now
        }
        if (count == MOST || (count > 0 && noRoom)) {
            send("park more handlers that wait"); // and those that have got the places
        } else {
            lookAgain(noRoom ? LOOK_MILLIS_WITHOUT_ROOM : Math.min(LOOK_MILLIS, parkAfter + 1));
        }
    }

    /** By their ids those that have waited for so long, as they would be parked. */
    private Map<Object, ParkedHead> waiting(long millis) {
        long now = now();
        Map<Object, ParkedHead> found = new LinkedHashMap<>();
        Iterator<Invocation<K, IN>> running = scheduler.running().iterator();
        while (found.size() < MOST && running.hasNext()) {
            Invocation<K, IN> invocation = running.next();
            long quiet = now - invocation.quietSince(now);
            ParkedHead head = quiet >= millis ? headOf(invocation, now) : null;
            if (head != null) {
                found.put(invocation.id(), head);
            }
        }
        return found;
    }

    /** What is to be known of an invocation that is parked; null if it cannot be. */
    @Nullable
    private ParkedHead headOf(Invocation<K, IN> invocation, long now) {
        if (!invocation.isActive() || invocation.hasEnded() || invocation.owner() != null) {
            return null;
        }
        long wakesAt = Long.MAX_VALUE;
        boolean forSignal = false;
        boolean waits = false;
        for (Call call : invocation.journal().calls()) {
            if (call.status().isTerminal()) {
                continue;
            }
            if (call.due() < now + SOON) {
                return null; // it is under way, or about to be
            }
            waits = true;
            wakesAt = Math.min(wakesAt, call.due());
            forSignal |= call.kind() == SlotKind.SIGNAL;
        }
        return waits ? new ParkedHead(wakesAt, invocation.lane().nextSequence(), forSignal) : null;
    }

    /** Parks those of them that let themselves be; tells how many. */
    private int park(Map<Object, ParkedHead> waiting) throws Exception {
        Object[] letGo = host.park(waiting.keySet().toArray());
        for (Object number : letGo) {
            Long id = ((Number) number).longValue();
            Invocation<K, IN> invocation = scheduler.running(id);
            scheduler.park(invocation, state); // selects its key
            state.putHead(waiting.get(id));
            invocations.end(invocation);
        }
        parked += letGo.length;
        counters.add("parkedTotal", letGo.length);
        watermarks.release();
        setTimer();
        return letGo.length;
    }

    // ------------------------------------------------------------------ what comes for parked keys

    /** Takes an input of the selected key in, if that is parked; tells whether it is. */
    boolean accept(K key, @Nullable Long timestamp, IN value) throws Exception {
        if (parked == 0 || scheduler.lane(key) != null) {
            return false;
        }
        ParkedHead head = state.head();
        if (head == null) {
            return false;
        }
        state.putInput(inFlight.accept(head.nextSequence(), timestamp, value));
        state.putHead(head.withNextSequence(head.nextSequence() + 1));
        inFlight.putNextSequence(head.nextSequence() + 1);
        return true;
    }

    /** A signal of the selected key has come: if it may answer what is parked, that goes on. */
    void signalled(K key, boolean cancels) throws Exception {
        if (parked == 0 || scheduler.lane(key) != null) {
            return;
        }
        ParkedHead head = state.head();
        if (head != null && (cancels || head.waitsForSignal())) {
            state.putHead(head.wakingAt(Math.min(head.wakesAt(), now())));
            steps.askToStart();
        }
    }

    // ------------------------------------------------------------------ going on

    private long now() {
        return task.getProcessingTimeService().getCurrentProcessingTime();
    }

    private void setTimer() {
        long next = state.nextWake();
        if (next < timer) {
            timer = next;
            task.getProcessingTimeService()
                    .registerTimer(
                            next,
                            time -> {
                                timer = Long.MAX_VALUE;
                                steps.askToStart();
                            });
        }
    }

    /** Puts those in line whose time has come, in order; no more than may run. */
    void wakeDue() throws Exception {
        if (parked == 0) {
            return;
        }
        long now = now();
        K key;
        while (scheduler.wokenCount() < Math.min(MOST, maxInFlight)
                && (key = state.takeDue(now)) != null) {
            wake(key);
        }
        if (state.nextWake() > now) { // otherwise those in line make room first
            setTimer();
        }
    }

    /** Whether others are due, and may run: of those that end at once nobody tells the task. */
    boolean hasMoreToWake() {
        return parked > 0 && scheduler.hasPlace() && state.nextWake() <= now();
    }

    private void wake(K key) throws Exception {
        ParkedHead head = state.head();
        TreeMap<Long, Input<IN>> inputs = state.takeInputs();
        long watermark = Math.max(watermarks.last(), restoredWatermark);
        for (Input<IN> input : inputs.values()) {
            Input<IN> notLate = input.behind(watermark);
            inFlight.putInput(notLate);
            inputs.put(notLate.sequence(), notLate);
        }
        scheduler.wake(key, inputs, head.nextSequence());
        parked--;
        counters.add("woken", 1);
    }

    /** How many invocations are parked; any thread. */
    int parkedCount() {
        return parked;
    }

    /** Mails do nothing any more. */
    void stop() {
        stopped = true;
    }
}
