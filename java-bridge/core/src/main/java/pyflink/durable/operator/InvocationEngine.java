package pyflink.durable.operator;

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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

    /** What runs the handlers: Python, or a test. Reports have the layout of the Python host. */
    interface Host<K, IN> {
        /** Starts the handler of an invocation. */
        @Nullable
        Object[] start(Invocation<K, IN> invocation);

        /**
         * Resumes the handlers whose calls have ended.
         *
         * @param released three fields for each hold that is over: invocation, slot, and the
         *     message of what went wrong, or null; null if there are none
         */
        @Nullable
        Object[] resume(@Nullable Object[] released);

        /** Ends the handlers and their threads. */
        void close();
    }

    /** What Flink gives; an operator has most of it already. */
    interface Task {
        ProcessingTimeService getProcessingTimeService();

        Object getCurrentKey();

        void setCurrentKey(Object key);

        /** Emits the outputs of an input from one index to another. */
        void emit(@Nullable Long timestamp, Object[] outputs, int from, int to);

        /** Any thread. */
        Object externalKey(Object key);

        boolean hasSideOutput(String tag);
    }

    private final String name;
    private final Limits limits;
    private final Task task;
    private final MailboxExecutor mailbox;
    private final Host<K, IN> host;
    private final DurableCounters counters;
    private final DurableBridge bridge;
    private final WatermarkHold watermarks = new WatermarkHold();
    private final AtomicBoolean wakeQueued = new AtomicBoolean();
    private InvocationScheduler<K, IN> scheduler;
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
            Task task,
            MailboxExecutor mailbox,
            Host<K, IN> host,
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
                        () -> 0);
        this.bridge = new DurableBridge(this, counters);
    }

    /** To be called when the keyed state is there. What was in flight starts in the first mail. */
    void open(
            KeyedStateBackend<K> backend,
            RuntimeContext context,
            TypeSerializer<IN> newInputSerializer,
            boolean objectReuse) {
        inputSerializer = newInputSerializer;
        copyInputs = objectReuse;
        userState = new UserState(context);
        scheduler =
                new InvocationScheduler<>(
                        new InFlightState<>(backend, context, inputSerializer),
                        watermarks,
                        limits.maxInFlight,
                        limits.maxPending);
        mailbox.execute(this::restore, "start what was in flight");
    }

    /**
     * Ends the handlers. The bridge closes first, so that nothing an interrupted call still does
     * reaches the journal.
     */
    void close() {
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
        startReady();
        while (scheduler.isFull()) {
            mailbox.yield();
        }
    }

    /** Takes a watermark or a status that came behind all inputs accepted so far. */
    void hold(WatermarkHold.Emission emission) throws Exception {
        ensureRestored();
        watermarks.hold(emission);
    }

    /** Waits until nothing is in flight, and ends the host. */
    void endInput() throws Exception {
        ensureRestored();
        while (scheduler.hasInFlight()) {
            mailbox.yield();
        }
        close();
    }

    private void restore() throws Exception {
        ensureRestored();
        startReady();
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

    /** Starts every handler that may run; one that ends at once makes room for the next. */
    private void startReady() throws Exception {
        Invocation<K, IN> starting;
        while ((starting = scheduler.startNext()) != null) {
            bridge.begin(starting);
            task.setCurrentKey(starting.key());
            apply(host.start(starting));
        }
    }

    /** Resumes every handler that waits for a call that has ended. */
    private void resume() throws Exception {
        wakeQueued.set(false);
        if (!closed) {
            apply(host.resume(null));
            startReady();
        }
    }

    /** Applies what happened in a step of the host: journal writes, ends, outputs. */
    private void apply(@Nullable Object[] report) throws Exception {
        if (report == null) {
            return;
        }
        bridge.applyJournalWrites(((Number) report[0]).longValue(), (Object[]) report[1]);
        Object[] ended = (Object[]) report[2];
        Object[] outputs = (Object[]) report[3];
        for (int i = 0; i < ended.length; i += 4) {
            Invocation<K, IN> invocation = scheduler.running(((Number) ended[i]).longValue());
            writeUserState(invocation, (Object[]) ended[i + 2], (Object[]) ended[i + 3]);
            int from = ((Number) ended[i + 1]).intValue();
            int to = i + 4 < ended.length ? ((Number) ended[i + 5]).intValue() : outputs.length;
            task.emit(invocation.input().timestamp(), outputs, from, to);
            bridge.end(invocation);
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
            try {
                mailbox.execute(this::resume, "resume handlers");
            } catch (RejectedExecutionException e) {
                LOG.debug("Operator {} is closing, nothing is resumed", name, e);
            }
        }
    }

    @Override
    public void wakeAt(long epochMillis) {
        task.getProcessingTimeService().registerTimer(epochMillis, time -> resume());
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
    public void written(Invocation<?, ?> invocation, int slot, @Nullable String hold) {
        if (hold != null) {
            throw new IllegalStateException("hold " + hold);
        }
    }

    @Override
    public void cleared(Invocation<?, ?> invocation, int slot) {}

    // ------------------------------------------------------------------ snapshots

    /** Writes what is in flight to the keyed state; to be called before Flink writes that. */
    void snapshot() throws Exception {
        Object selected = task.getCurrentKey();
        scheduler.saveChanges();
        select(selected);
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
