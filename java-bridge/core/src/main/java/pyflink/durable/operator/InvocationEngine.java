package pyflink.durable.operator;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLog;

/**
 * The life of the invocations of one subtask, between Flink, which gives inputs, checkpoints and
 * mails, and the host, which runs handlers. Works on the task thread, but where it is said.
 *
 * <p>The way of an element: it is accepted into the lane of its key; when its turn comes the host
 * starts its handler; the handler's calls run on other threads; a call that has ended wakes this
 * task by one mail, which resumes every handler that can go on; a handler that has ended has its
 * outputs emitted and its journal dropped in the same mail, so that no checkpoint sees one without
 * the other.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>An element is accepted before the operator waits for room. A checkpoint may be taken during
 *       the wait; an element held on the stack would be in nobody's state.
 *   <li>The mailbox executor has the lowest priority there is. At the priority of the operator's
 *       place in the chain, checkpoint mails would not run during the wait: a call that waits for a
 *       checkpoint would wait for ever.
 *   <li>Restored invocations start before new inputs are accepted. A new input of a key would
 *       otherwise be handled before an older one.
 *   <li>Watermarks wait for the inputs before them, see {@link WatermarkHold}.
 * </ul>
 */
final class InvocationEngine<K, IN> implements DurableBridge.Host {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String name;
    private final Limits limits;
    private final FlinkTask task;
    private final MailboxExecutor mailbox;
    private final HandlerHost<K, IN> host;
    private final DurableCounters counters;
    private final DurableBridge bridge;
    private final WatermarkHold watermarks = new WatermarkHold();
    private final AtomicBoolean wakeQueued = new AtomicBoolean();
    private InvocationScheduler<K, IN> scheduler;
    private Gate<K, IN> gate;
    private Holds<K, IN> holds;
    @Nullable private WriteAhead<K, IN> writeAhead;
    private Valve valve;
    private WaitLimit drain;
    private StartBatches starts;
    private UserState userState;
    private TypeSerializer<IN> inputSerializer;
    private boolean copyInputs;
    private boolean restored;
    private boolean closed;

    /**
     * @param name of the operator
     * @param mailbox of the lowest priority
     */
    InvocationEngine(
            String name,
            Limits limits,
            FlinkTask task,
            MailboxExecutor mailbox,
            HandlerHost<K, IN> host,
            MetricGroup metrics) {
        this.name = name;
        this.limits = limits;
        this.task = task;
        this.mailbox = mailbox;
        this.host = host;
        this.counters =
                new DurableCounters(
                        metrics,
                        () -> scheduler == null ? 0 : scheduler.runningCount(),
                        () -> scheduler == null ? 0 : scheduler.waitingCount(),
                        this::atGate,
                        () -> writeAhead == null ? 0 : writeAhead.waiting());
        this.bridge = new DurableBridge(this, counters);
    }

    /**
     * To be called when the keyed state is there. What was in flight starts in the first mail.
     *
     * @param callLog null for an operator without one
     */
    void open(
            KeyedStateBackend<K> backend,
            RuntimeContext context,
            TypeSerializer<IN> newInputSerializer,
            boolean objectReuse,
            @Nullable CallLog callLog)
            throws IOException {
        if (callLog != null) {
            writeAhead =
                    new WriteAhead<>(
                            name,
                            callLog,
                            backend.getKeySerializer(),
                            context.getTaskInfo().getMaxNumberOfParallelSubtasks(),
                            counters,
                            bridge::wake);
            writeAhead.recover();
        }
        inputSerializer = newInputSerializer;
        copyInputs = objectReuse;
        userState = new UserState(context);
        scheduler =
                new InvocationScheduler<>(
                        new InFlightState<>(backend, context, inputSerializer),
                        watermarks,
                        limits.maxInFlight,
                        limits.maxPending);
        gate = new Gate<>(scheduler);
        holds = new Holds<>(name, limits, gate, writeAhead);
        ProcessingTimeService timers = task.getProcessingTimeService();
        valve =
                new Valve(
                        name,
                        mailbox,
                        scheduler,
                        counters,
                        new WaitLimit(timers, limits.checkpointInterval));
        drain = new WaitLimit(timers, limits.checkpointInterval + limits.drainTimeout);
        starts = new StartBatches(timers, limits.collectMillis, this::askToStart, System::nanoTime);
        mailbox.execute(this::restore, "start what was in flight");
    }

    /** Ends the handlers and the call log. */
    void close() {
        try {
            closeHost();
        } finally {
            if (writeAhead != null) {
                writeAhead.close();
            }
        }
    }

    /**
     * Ends the handlers. The bridge closes first, so that nothing an interrupted call still does
     * reaches the journal.
     */
    private void closeHost() {
        if (!closed) {
            closed = true;
            bridge.close();
            host.close();
        }
    }

    // ------------------------------------------------------------------ inputs

    /** Takes an input of the selected key in; returns when there is room for another. */
    @SuppressWarnings("unchecked")
    void accept(StreamRecord<IN> element) throws Exception {
        ensureRestored(); // selects other keys, so the element's own is taken after it
        K key = (K) task.getCurrentKey();
        IN value = copyInputs ? inputSerializer.copy(element.getValue()) : element.getValue();
        scheduler.accept(key, element.hasTimestamp() ? element.getTimestamp() : null, value);
        if (starts.areDue(scheduler.readyCount()) || scheduler.isFull()) {
            goOn();
        }
        valve.awaitRoom();
    }

    /** Takes a watermark or a status that came behind all inputs accepted so far. */
    void emitBehindInputs(WatermarkHold.Emission emission) throws Exception {
        ensureRestored();
        watermarks.hold(emission);
    }

    /** Waits until nothing is in flight, and ends the host. */
    void endInput() throws Exception {
        ensureRestored();
        goOn();
        while (scheduler.hasInFlight()) {
            requireCheckpoints();
            mailbox.yield();
        }
        closeHost(); // the last checkpoint is still to complete, and the log to forget what it has
    }

    /** While a job is drained Flink takes no checkpoints, and the gate would wait for ever. */
    private void requireCheckpoints() {
        if (!scheduler.isHeldByGateAlone()) {
            drain.reset();
        } else if (drain.isOver()) {
            throw new IllegalStateException(
                    String.format(
                            "The input has ended, %d calls wait for a checkpoint, and none was"
                                    + " taken for %d ms (drain_timeout and one checkpoint interval)."
                                    + " Flink takes none while it drains a job: stop it with `stop`"
                                    + " without `--drain`, and the savepoint holds what is in"
                                    + " flight. It takes none while a savepoint is under way,"
                                    + " either, whose barrier is not read behind the end of the"
                                    + " input: take it before. If neither is the case, its checkpoints take"
                                    + " longer than that: raise drain_timeout.",
                            gate.size(), drain.millis()));
        }
    }

    private void restore() throws Exception {
        ensureRestored();
        goOn();
    }

    private void ensureRestored() throws Exception {
        if (restored) {
            return;
        }
        restored = true;
        Object selected = task.getCurrentKey();
        int count = scheduler.restore();
        select(selected);
        if (count > 0) {
            LOG.info("Operator {} runs {} restored invocations again", name, count);
        }
    }

    private void select(@Nullable Object key) {
        if (key != null) {
            task.setCurrentKey(key);
        }
    }

    // ------------------------------------------------------------------ handlers

    /** Resumes every handler that waits for a call that has ended. */
    private void resume() throws Exception {
        wakeQueued.set(false);
        if (!closed) {
            Object[] released = gate.takeReleased();
            apply(host.resume(writeAhead == null ? released : writeAhead.takeReleased(released)));
            goOn();
        }
    }

    /**
     * Has every handler go on that may: first those whose calls were released, then new ones. One
     * that ends at once, or comes to the gate, makes room for the next.
     */
    private void goOn() throws Exception {
        while (true) {
            Object[] released = gate.takeReleased();
            if (released != null) {
                apply(host.resume(released));
                continue;
            }
            List<Invocation<K, IN>> starting = takeStarting();
            if (starting.isEmpty()) {
                return;
            }
            starts.stepBegins();
            Object[] report = host.start(starting);
            starts.stepEnded(starting.size());
            apply(report);
            if (starts.tookLong() && scheduler.readyCount() > 0) {
                askToStart(); // behind the mails that have come meanwhile, a checkpoint among them
                return;
            }
        }
    }

    private List<Invocation<K, IN>> takeStarting() {
        List<Invocation<K, IN>> starting = new ArrayList<>();
        while (starting.size() < starts.size()) {
            Invocation<K, IN> next = scheduler.startNext();
            if (next == null) {
                break;
            }
            bridge.begin(next);
            starting.add(next);
        }
        return starting;
    }

    private void askToStart() {
        send(this::startCollected, "start handlers");
    }

    private void startCollected() throws Exception {
        if (!closed) {
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

    /** Applies what happened in a step of the host: journal writes, ends, outputs. */
    private void apply(@Nullable Object[] report) throws Exception {
        if (report == null) {
            return;
        }
        bridge.applyJournalWrites(((Number) report[0]).longValue(), (Object[]) report[1]);
        gate.applyChanges();
        Object[] ended = (Object[]) report[2];
        Object[] outputs = (Object[]) report[3];
        for (int i = 0; i < ended.length; i += 4) {
            Invocation<K, IN> invocation = scheduler.running(((Number) ended[i]).longValue());
            writeUserState(invocation, (Object[]) ended[i + 2], (Object[]) ended[i + 3]);
            int from = ((Number) ended[i + 1]).intValue();
            int to = i + 4 < ended.length ? ((Number) ended[i + 5]).intValue() : outputs.length;
            task.emit(invocation.input().timestamp(), outputs, from, to);
            bridge.end(invocation);
            gate.end(invocation);
            scheduler.finish(invocation);
        }
        watermarks.release();
    }

    private void writeUserState(
            Invocation<K, IN> invocation, @Nullable Object[] names, @Nullable Object[] values)
            throws Exception {
        if (names == null || values == null) {
            return;
        }
        task.setCurrentKey(invocation.key());
        for (int i = 0; i < names.length; i++) {
            userState.put((String) names[i], (byte[]) values[i]);
        }
    }

    // ------------------------------------------------------------------ what the bridge asks for

    @Override
    public void wake() {
        if (wakeQueued.compareAndSet(false, true)) {
            send(this::resume, "resume handlers");
        }
    }

    @Override
    public void wakeAt(long epochMillis) {
        // a mail, since Flink lets the task go on after a timer that failed
        task.getProcessingTimeService().registerTimer(epochMillis, time -> wake());
    }

    @Override
    public Object externalKey(Invocation<?, ?> invocation) {
        return task.externalKey(invocation.key());
    }

    @Override
    public UserState userState(long id) {
        task.setCurrentKey(scheduler.running(id).key());
        return userState;
    }

    @Override
    public boolean hasSideOutput(String tag) {
        return task.hasSideOutput(tag);
    }

    @Override
    @SuppressWarnings("unchecked")
    public int identify(Invocation<?, ?> invocation, String invocationId, String inputDigest)
            throws IOException {
        if (writeAhead == null) {
            throw new IllegalStateException("Operator " + name + " has no call log.");
        }
        return writeAhead.identify((Invocation<K, IN>) invocation, invocationId, inputDigest);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void written(Invocation<?, ?> invocation, int slot, @Nullable String hold) {
        holds.written((Invocation<K, IN>) invocation, slot, hold);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void cleared(Invocation<?, ?> invocation, int slot) {
        holds.cleared((Invocation<K, IN>) invocation, slot);
    }

    // ------------------------------------------------------------------ snapshots

    /**
     * Writes what is in flight to the keyed state; to be called before Flink writes that.
     *
     * @param savepoint whether it is one, which releases nothing: see {@link Gate}
     */
    void snapshot(long checkpointId, boolean savepoint) throws Exception {
        Object selected = task.getCurrentKey();
        if (writeAhead != null) {
            writeAhead.snapshotBegins(checkpointId, savepoint);
        }
        gate.applyChanges();
        scheduler.saveChanges();
        if (!savepoint) {
            gate.snapshotTaken(checkpointId);
        }
        valve.snapshotTaken();
        drain.reset();
        select(selected);
    }

    /** Releases the calls that the checkpoint holds; their handlers go on in the next mail. */
    void checkpointCompleted(long checkpointId) {
        if (writeAhead != null) {
            writeAhead.complete(checkpointId);
        }
        if (gate.complete(checkpointId)) {
            bridge.wake();
        }
    }

    /** How many calls wait for a checkpoint. */
    int atGate() {
        return gate == null ? 0 : gate.size();
    }

    DurableBridge bridge() {
        return bridge;
    }

    DurableCounters counters() {
        return counters;
    }

    InvocationScheduler<K, IN> scheduler() {
        return scheduler;
    }
}
