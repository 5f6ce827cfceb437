package pyflink.durable.operator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.types.Row;

/**
 * {@link DurableKeyedProcessOperator} without Python: the same classes wired in the same way, and
 * handlers that the test drives by hand in place of the Python host. It extends no embedded Python
 * operator, because that one needs an interpreter to open.
 *
 * <p>Every method from {@code open} to {@code snapshotState} repeats its namesake there, line by
 * line, without the converters of PyFlink; a change there is made here too.
 */
final class HarnessOperator<K> extends AbstractStreamOperator<String>
        implements OneInputStreamOperator<Row, String>, BoundedOneInput, DurableBridge.Host {

    private static final long serialVersionUID = 1L;

    private final int maxInFlight;
    private final int maxPending;

    private transient TypeSerializer<Row> inputSerializer;
    private transient boolean copyInputs;

    private transient MailboxExecutor mailbox;
    private transient AtomicBoolean wakeQueued;
    private transient InvocationScheduler<K, Row> scheduler;
    private transient WatermarkHold watermarks;
    private transient UserState userState;
    private transient DurableBridge bridge;
    private transient boolean pythonOpen;
    private transient boolean restored;
    private transient TimestampedCollector<String> collector;

    // the place of the Python host
    private transient Map<Long, Handler> running;
    private transient Queue<Handler> ended;
    private transient List<Object> stepWrites;
    private transient List<String> started;
    private transient StateAccesses accesses;
    private Consumer<HarnessOperator<K>.Handler> onStart = handler -> {};

    HarnessOperator(int maxInFlight, int maxPending) {
        this.maxInFlight = maxInFlight;
        this.maxPending = maxPending;
    }

    // ------------------------------------------------------------------ as in the real operator

    @Override
    public void open() throws Exception {
        ClassLoader classLoader = getContainingTask().getUserCodeClassLoader();
        inputSerializer = getOperatorConfig().getTypeSerializerIn(0, classLoader);
        copyInputs = getExecutionConfig().isObjectReuseEnabled();

        mailbox =
                getContainingTask()
                        .getMailboxExecutorFactory()
                        .createExecutor(TaskMailbox.MIN_PRIORITY);
        wakeQueued = new AtomicBoolean();
        watermarks = new WatermarkHold();
        bridge = new DurableBridge(this, new DurableCounters(getMetricGroup(), () -> 0, () -> 0));

        super.open();
        collector = new TimestampedCollector<>(output);
        openHost();

        RuntimeContext context = accesses.watch(getRuntimeContext());
        userState = new UserState(context);
        scheduler =
                new InvocationScheduler<>(
                        new InFlightState<>(getKeyedStateBackend(), context, inputSerializer),
                        watermarks,
                        maxInFlight,
                        maxPending);
        mailbox.execute(this::restore, "start what was in flight");
    }

    @Override
    public void close() throws Exception {
        try {
            closePython();
        } finally {
            super.close();
        }
    }

    private void closePython() {
        if (!pythonOpen) {
            return;
        }
        pythonOpen = false;
        bridge.close();
    }

    @Override
    @SuppressWarnings("unchecked")
    public void processElement(StreamRecord<Row> element) throws Exception {
        ensureRestored();
        K key = (K) getCurrentKey();
        Row value = copyInputs ? inputSerializer.copy(element.getValue()) : element.getValue();
        scheduler.accept(key, element.hasTimestamp() ? element.getTimestamp() : null, value);
        startReady();
        while (scheduler.isFull()) {
            mailbox.yield();
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        ensureRestored();
        watermarks.hold(() -> super.processWatermark(mark));
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        ensureRestored();
        watermarks.hold(() -> super.processWatermarkStatus(status));
    }

    @Override
    public void endInput() throws Exception {
        ensureRestored();
        while (scheduler.hasInFlight()) {
            mailbox.yield();
        }
        closePython();
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
        Object selected = getCurrentKey();
        scheduler.restore();
        if (selected != null) {
            setCurrentKey(selected);
        }
    }

    private void startReady() throws Exception {
        Invocation<K, Row> starting;
        while ((starting = scheduler.startNext()) != null) {
            bridge.begin(starting);
            setCurrentKey(starting.key());
            apply(hostStart(starting));
        }
    }

    private void resume() throws Exception {
        wakeQueued.set(false);
        if (pythonOpen) {
            apply(hostResume());
            startReady();
        }
    }

    private void apply(@Nullable Object[] report) throws Exception {
        if (report == null) {
            return;
        }
        bridge.applyJournalWrites(((Number) report[0]).longValue(), (Object[]) report[1]);
        Object[] ended = (Object[]) report[2];
        Object[] outputs = (Object[]) report[3];
        for (int i = 0; i < ended.length; i += 4) {
            Invocation<K, Row> invocation = scheduler.running(((Number) ended[i]).longValue());
            writeUserState(invocation, (Object[]) ended[i + 2], (Object[]) ended[i + 3]);
            int end = i + 4 < ended.length ? ((Number) ended[i + 5]).intValue() : outputs.length;
            emit(invocation, outputs, ((Number) ended[i + 1]).intValue(), end);
            bridge.end(invocation);
            scheduler.finish(invocation);
        }
        watermarks.release();
    }

    private void writeUserState(
            Invocation<K, Row> invocation, @Nullable Object[] names, @Nullable Object[] values)
            throws Exception {
        if (names == null || values == null) {
            return;
        }
        setCurrentKey(invocation.key());
        for (int i = 0; i < names.length; i++) {
            userState.put((String) names[i], (byte[]) values[i]);
        }
    }

    private void emit(Invocation<K, Row> invocation, Object[] outputs, int from, int to) {
        Long timestamp = invocation.input().timestamp();
        if (timestamp == null) {
            collector.eraseTimestamp();
        } else {
            collector.setAbsoluteTimestamp(timestamp);
        }
        for (int i = from; i < to; i++) {
            collector.collect((String) outputs[i]);
        }
    }

    @Override
    public void wake() {
        if (wakeQueued.compareAndSet(false, true)) {
            try {
                mailbox.execute(this::resume, "resume handlers");
            } catch (RejectedExecutionException e) {
                LOG.debug("closing, nothing is resumed", e);
            }
        }
    }

    @Override
    public void wakeAt(long epochMillis) {
        getProcessingTimeService().registerTimer(epochMillis, time -> resume());
    }

    @Override
    public Object externalKey(Invocation<?, ?> invocation) {
        return invocation.key();
    }

    @Override
    public UserState userState(long id) {
        setCurrentKey(scheduler.running(id).key());
        return userState;
    }

    @Override
    public boolean hasSideOutput(String tag) {
        return false;
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        Object selected = getCurrentKey();
        scheduler.saveChanges();
        if (selected != null) {
            setCurrentKey(selected);
        }
        super.snapshotState(context);
    }

    // ------------------------------------------------------------------ the place of the host

    private void openHost() {
        running = new LinkedHashMap<>();
        ended = new ConcurrentLinkedQueue<>();
        stepWrites = new ArrayList<>();
        started = new ArrayList<>();
        accesses = new StateAccesses();
        pythonOpen = true;
    }

    private Object[] hostStart(Invocation<K, Row> invocation) {
        Handler handler = new Handler(invocation);
        running.put(handler.id, handler);
        started.add(handler.toString());
        onStart.accept(handler);
        return hostResume();
    }

    /** The report of a step, in the layout of the Python host. */
    private Object[] hostResume() {
        List<Object> ends = new ArrayList<>();
        List<Object> outputs = new ArrayList<>();
        Handler handler;
        while ((handler = ended.poll()) != null) {
            running.remove(handler.id);
            ends.add(handler.id);
            ends.add(outputs.size());
            boolean writes = !handler.stateWrites.isEmpty();
            ends.add(writes ? handler.stateWrites.keySet().toArray() : null);
            ends.add(writes ? handler.stateWrites.values().toArray() : null);
            outputs.addAll(handler.outputs);
        }
        Object[] writes = stepWrites.toArray();
        stepWrites.clear();
        if (ends.isEmpty() && writes.length == 0) {
            return null;
        }
        return new Object[] {writes.length / 7, writes, ends.toArray(), outputs.toArray()};
    }

    /** What the test lets every handler do when it starts. */
    void onStart(Consumer<HarnessOperator<K>.Handler> action) {
        onStart = action;
    }

    /** Every handler that was ever started, as {@code key:value}. */
    List<String> started() {
        return started;
    }

    /** The handlers that run, in order of their start. */
    List<Handler> running() {
        return new ArrayList<>(running.values());
    }

    /** The running handler of an input. */
    Handler handler(String keyAndValue) {
        return running().stream()
                .filter(handler -> handler.toString().equals(keyAndValue))
                .findFirst()
                .orElseThrow(
                        () ->
                                new AssertionError(
                                        keyAndValue + " does not run; running are " + running()));
    }

    DurableBridge bridge() {
        return bridge;
    }

    MailboxExecutor mailbox() {
        return mailbox;
    }

    InvocationScheduler<K, Row> scheduler() {
        return scheduler;
    }

    StateAccesses accesses() {
        return accesses;
    }

    /** A handler driven by the test: it makes calls, gets their outcomes, ends. */
    final class Handler {
        private final long id;
        private final String name;
        private final Invocation<K, Row> invocation;
        private final int restoredSlots;
        private final List<String> outputs = new ArrayList<>();
        private final Map<String, byte[]> stateWrites = new LinkedHashMap<>();

        private Handler(Invocation<K, Row> invocation) {
            this.id = invocation.id();
            this.invocation = invocation;
            this.restoredSlots = invocation.journal().size();
            this.name = nameOf(invocation.key()) + ":" + invocation.input().value().getField(1);
        }

        long id() {
            return id;
        }

        Long timestamp() {
            return invocation.input().timestamp();
        }

        long sequence() {
            return invocation.input().sequence();
        }

        /** How many slots its journal had when it started. */
        int restoredSlots() {
            return restoredSlots;
        }

        /** Announces a call with the report of the step that runs, as {@code async} handlers do. */
        void callInStep(int slot, String function) {
            stepWrites.addAll(Arrays.asList(id, slot, function, "digest", "PENDING", null, null));
        }

        /** Announces a call at once, as {@code def} handlers do from their worker threads. */
        void call(int slot, String function) {
            bridge.appendPendingCallAt(id, slot, function, "digest");
        }

        void succeed(int slot, String function, String result) {
            bridge.finalizeCallAt(id, slot, function, "digest", result.getBytes(), null);
        }

        void fail(int slot, String function, String exception) {
            bridge.finalizeCallAt(id, slot, function, "digest", null, exception.getBytes());
        }

        /** The journal as {@code function STATUS payload}, by slot. */
        List<String> journal() {
            List<String> calls = new ArrayList<>();
            for (Object call : bridge.getCalls(id)) {
                Object[] fields = (Object[]) call;
                byte[] payload = (byte[]) (fields[3] != null ? fields[3] : fields[4]);
                calls.add(
                        fields[0]
                                + " "
                                + fields[2]
                                + (payload == null ? "" : " " + new String(payload)));
            }
            return calls;
        }

        void putState(String stateName, String value) {
            stateWrites.put(stateName, value == null ? null : value.getBytes());
        }

        /** Ends with these outputs; they are emitted when the operator's mail has run. */
        void end(String... values) {
            outputs.addAll(List.of(values));
            ended.add(this);
            bridge.wake();
        }

        /** Ends with its own name as the only output, found when something else wakes. */
        void endWithoutWake() {
            outputs.add(name);
            ended.add(this);
        }

        /** Ends with its own name as the only output. */
        void end() {
            end(name);
        }

        /** Whether it has ended and waits for the operator's mail. */
        boolean hasEnded() {
            return ended.contains(this);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static String nameOf(Object key) {
        return key instanceof Row ? String.valueOf(((Row) key).getField(0)) : String.valueOf(key);
    }
}
