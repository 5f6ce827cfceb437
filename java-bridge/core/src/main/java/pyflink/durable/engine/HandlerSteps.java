package pyflink.durable.engine;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has handlers start and go on, in steps: the host runs them until each waits or has ended, and
 * reports all that happened, which is applied here before anything else happens on the task thread.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>What a handler did in a step is applied in the same mail. A checkpoint in between would not
 *       hold a call that has been made.
 *   <li>What an invocation wrote in the step in which it ended is not written: its journal is about
 *       to be dropped. If its outputs have to wait (see {@link Endings}) it is written after all,
 *       in the same mail. A checkpoint would otherwise hold a call as in doubt whose outcome the
 *       handler has seen, and after a failure the call would be made again.
 *   <li>While outputs wait, handlers go on, but no new ones start: the operators behind are the
 *       measure.
 *   <li>At most one mail to resume handlers is under way, and one to start them. Mails for each
 *       call that has ended, or for each input while handlers block, would keep a checkpoint's mail
 *       waiting behind thousands that find nothing to do.
 *   <li>After {@link #stop} a mail does nothing. It would run handlers of an attempt that has
 *       ended.
 * </ul>
 */
final class HandlerSteps<K, IN> {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String name;
    private final FlinkTask task;
    private final MailboxExecutor mailbox;
    private final HandlerHost<K, IN> host;
    private final RunningInvocations invocations;
    private final StepWrites writes;
    private final InvocationScheduler<K, IN> scheduler;
    private final Gate<K, IN> gate;
    @Nullable private final WriteAhead<K, IN> writeAhead;
    private final Endings<K, IN> endings;
    private final StartBatches starts;
    private final AtomicBoolean resumeAsked = new AtomicBoolean();

    /** Those that have a place, and that the last step had no time to start. */
    private final Queue<Invocation<K, IN>> left = new ArrayDeque<>();

    @Nullable private Parking<K, IN> parking;
    private boolean startAsked;
    private boolean emitAsked;
    private boolean stopped;

    /**
     * @param name of the operator
     * @param mailbox of the lowest priority
     * @param collectMillis how long inputs are collected, see {@link StartBatches}
     */
    HandlerSteps(
            String name,
            FlinkTask task,
            MailboxExecutor mailbox,
            HandlerHost<K, IN> host,
            RunningInvocations invocations,
            StepWrites writes,
            InvocationScheduler<K, IN> scheduler,
            Gate<K, IN> gate,
            @Nullable WriteAhead<K, IN> writeAhead,
            Endings<K, IN> endings,
            long collectMillis) {
        this.name = name;
        this.task = task;
        this.mailbox = mailbox;
        this.host = host;
        this.invocations = invocations;
        this.writes = writes;
        this.scheduler = scheduler;
        this.gate = gate;
        this.writeAhead = writeAhead;
        this.endings = endings;
        this.starts =
                new StartBatches(
                        task.getProcessingTimeService(),
                        collectMillis,
                        this::askToStart,
                        System::nanoTime);
    }

    /** An input was accepted: it starts now, or soon with those that come behind it. */
    void accepted() throws Exception {
        if (starts.areDue(scheduler.readyCount()) || scheduler.isFull()) {
            goOn();
        }
    }

    /** Asks for the handlers to be resumed whose calls have ended; from any thread. */
    void askToResume() {
        if (resumeAsked.compareAndSet(false, true)) {
            send(this::resume, "resume handlers");
        }
    }

    /** Gives handlers all that has come for them. */
    void resume() throws Exception {
        resumeAsked.set(false); // first: a call that ends from here on may be missed by this step
        if (!stopped) {
            Object[] released = gate.takeReleased(StartBatches.MOST);
            apply(
                    host.resume(writeAhead == null ? released : writeAhead.takeReleased(released)),
                    0);
            goOn();
        }
    }

    /** Asks for what is in line to be started; on the task thread. */
    void askToStart() {
        if (!startAsked) {
            startAsked = true;
            send(this::start, "start handlers");
        }
    }

    private void start() throws Exception {
        startAsked = false;
        if (!stopped) {
            goOn();
        }
    }

    private void send(ThrowingRunnable<Exception> mail, String description) {
        try {
            mailbox.execute(mail, description);
        } catch (RejectedExecutionException e) {
            LOG.debug("Operator {} is closing, no mail is taken: {}", name, description, e);
        }
    }

    /** Has those go on that were parked, when it is their time. */
    void wakeFrom(Parking<K, IN> newParking) {
        parking = newParking;
    }

    /** Nothing is started or resumed any more. */
    void stop() {
        stopped = true;
    }

    /**
     * Has every handler go on that may: first those whose calls were released, then new ones. One
     * that ends at once, or comes to the gate, makes room for the next.
     */
    void goOn() throws Exception {
        if (parking != null) {
            parking.wakeDue();
        }
        starts.mailBegins();
        boolean more = true;
        while (more) {
            Object[] released = gate.takeReleased(StartBatches.MOST);
            more = released == null ? startSome() : release(released);
        }
        if (parking != null && parking.hasMoreToWake()) {
            askToStart(); // behind the mails that have come meanwhile
        }
        starts.taskIsFree();
    }

    /** Has handlers go on whose calls were released; tells whether there is time for more. */
    private boolean release(Object[] released) throws Exception {
        apply(host.resume(released), 0);
        if (gate.hasReleased() && starts.millisLeft() == 0) {
            askToResume(); // behind the mails that have come meanwhile
            return false;
        }
        return true;
    }

    /** Starts as many as go into one step; tells whether there may be more to do. */
    private boolean startSome() throws Exception {
        if (endings.size() > 0) {
            return false;
        }
        List<Invocation<K, IN>> starting = takeStarting();
        if (starting.isEmpty()) {
            return false;
        }
        Object[] report = host.start(starting, starts.millisLeft());
        int started = ((Number) report[0]).intValue();
        left.addAll(starting.subList(started, starting.size()));
        starts.stepEnded(starting.size(), started);
        apply(report, 1);
        if (starts.millisLeft() == 0 && (!left.isEmpty() || scheduler.readyCount() > 0)) {
            askToStart(); // behind the mails that have come meanwhile, a checkpoint among them
            return false;
        }
        return true;
    }

    private List<Invocation<K, IN>> takeStarting() {
        List<Invocation<K, IN>> starting = new ArrayList<>();
        while (!left.isEmpty() && starting.size() < starts.size()) {
            starting.add(left.remove());
        }
        while (starting.size() < starts.size()) {
            Invocation<K, IN> next = scheduler.startNext();
            if (next == null) {
                break;
            }
            invocations.begin(next);
            starting.add(next);
        }
        return starting;
    }

    /** Applies what happened in a step, whose report begins at a place: writes, ends, outputs. */
    private void apply(@Nullable Object[] report, int at) throws Exception {
        if (report == null) {
            return;
        }
        writes.apply(((Number) report[at]).longValue(), (Object[]) report[at + 1]);
        gate.applyChanges();
        Object[] ended = (Object[]) report[at + 2];
        if (ended.length > 0) {
            endings.add(ended, (Object[]) report[at + 3]);
            leaveGate(ended, 4);
            emit();
            keep(Math.min(endings.size(), ended.length / 4));
        }
    }

    /** Their calls at the gate are nobody's any more; until their outputs are emitted they run. */
    private void leaveGate(Object[] ended, int fields) {
        for (int i = 0; i < ended.length; i += fields) {
            Invocation<K, IN> invocation = scheduler.running(((Number) ended[i]).longValue());
            gate.end(invocation);
            scheduler.releaseFromGate(invocation);
        }
    }

    /** The host has left out what those wrote that have ended: the last so many go on after all. */
    private void keep(int count) {
        if (count > 0) {
            Object[] ids = endings.idsFrom(endings.size() - count);
            writes.apply(0, host.keep(ids));
            gate.applyChanges();
            leaveGate(ids, 1);
        }
    }

    /** Ends invocations as long as that holds nothing up, and sends for the rest. */
    private void emit() throws Exception {
        CompletableFuture<?> available = endings.emit();
        if (available != null && !emitAsked) {
            emitAsked = true;
            available.thenRun(() -> send(this::emitRest, "emit outputs"));
        }
    }

    private void emitRest() throws Exception {
        emitAsked = false;
        if (!stopped) {
            emit();
            goOn(); // those that have ended have made room
        }
    }
}
