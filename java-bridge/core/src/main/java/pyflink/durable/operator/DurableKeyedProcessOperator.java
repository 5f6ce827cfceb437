package pyflink.durable.operator;

import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunctionInfo;
import org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedDataStreamPythonFunctionOperator;
import org.apache.flink.streaming.api.operators.python.embedded.EmbeddedPythonKeyedProcessOperator;
import org.apache.flink.streaming.api.utils.PythonTypeUtils;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a Python handler for each element of a keyed stream, many keys at a time, and keeps the
 * journal of its outside calls in keyed state.
 *
 * <p>The way of an element: it is accepted into the lane of its key; when its turn comes the Python
 * host starts its handler; the handler's calls run on other threads; a call that has ended wakes
 * this task by one mail, which resumes every handler that can go on; a handler that has ended has
 * its outputs emitted and its journal dropped in the same mail, so that no checkpoint sees one
 * without the other.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>An element is accepted before the operator waits for room. A checkpoint may be taken during
 *       the wait; an element held on the stack would be in nobody's state.
 *   <li>The mailbox executor has the lowest priority there is. At the priority of the operator's
 *       place in the chain, checkpoint mails would not run during the wait: a call that waits for a
 *       checkpoint would wait for ever.
 *   <li>Never chained to its upstream (the graph starts a new chain here). With the lowest
 *       priority, a checkpoint may run in the middle of an upstream operator's element.
 *   <li>Restored invocations start before new inputs are accepted. A new input of a key would
 *       otherwise be handled before an older one.
 *   <li>Watermarks wait for the inputs before them, see {@link WatermarkHold}.
 * </ul>
 */
public final class DurableKeyedProcessOperator<K, IN, OUT>
        extends EmbeddedPythonKeyedProcessOperator<K, IN, OUT> implements DurableBridge.Host {

    private static final long serialVersionUID = 1L;

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final String name;
    private final int maxInFlight;
    private final int maxPending;

    private transient PythonTypeUtils.DataConverter<IN, Object> inputConverter;
    private transient PythonTypeUtils.DataConverter<K, Object> keyConverter;
    private transient PythonTypeUtils.DataConverter<OUT, Object> outputConverter;
    private transient TypeSerializer<IN> inputSerializer;
    private transient boolean copyInputs;

    private transient MailboxExecutor mailbox;
    private transient AtomicBoolean wakeQueued;
    private transient InvocationScheduler<Row, IN> scheduler;
    private transient WatermarkHold watermarks;
    private transient UserState userState;
    private transient DurableCounters counters;
    private transient DurableBridge bridge;

    /** Hides the inherited field, which must not be touched, see {@link Interpreter}. */
    private transient Interpreter interpreter;

    private transient boolean pythonOpen;
    private transient boolean restored;

    /**
     * @param maxInFlight how many invocations of one subtask run at a time
     * @param maxPending how many further inputs one subtask accepts
     */
    public DurableKeyedProcessOperator(
            Configuration config,
            DataStreamPythonFunctionInfo function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            String name,
            int maxInFlight,
            int maxPending) {
        super(config, function, inputType, outputType);
        this.inputType = inputType;
        this.outputType = outputType;
        this.name = name;
        this.maxInFlight = maxInFlight;
        this.maxPending = maxPending;
    }

    // ------------------------------------------------------------------ open and close

    @Override
    public void open() throws Exception {
        ClassLoader classLoader = getContainingTask().getUserCodeClassLoader();
        inputSerializer = getOperatorConfig().getTypeSerializerIn(0, classLoader);
        copyInputs = getExecutionConfig().isObjectReuseEnabled();
        inputConverter = converter(inputType);
        keyConverter = converter(((RowTypeInfo) inputType).<K>getTypeAt(0));
        outputConverter = converter(outputType);

        mailbox =
                getContainingTask()
                        .getMailboxExecutorFactory()
                        .createExecutor(TaskMailbox.MIN_PRIORITY);
        wakeQueued = new AtomicBoolean();
        watermarks = new WatermarkHold();
        counters =
                new DurableCounters(
                        getMetricGroup(),
                        () -> scheduler == null ? 0 : scheduler.runningCount(),
                        () -> scheduler == null ? 0 : scheduler.waitingCount());
        bridge = new DurableBridge(this, counters);

        openPyFlink();

        userState = new UserState(getRuntimeContext());
        scheduler =
                new InvocationScheduler<>(
                        new InFlightState<>(
                                getKeyedStateBackend(), getRuntimeContext(), inputSerializer),
                        watermarks,
                        maxInFlight,
                        maxPending);
        mailbox.execute(this::restore, "start what was in flight");
    }

    private void openPyFlink() throws Exception {
        try {
            super.open();
        } catch (Exception | LinkageError e) {
            Interpreter.explainOpenFailure(e);
            throw e;
        }
    }

    private static <T> PythonTypeUtils.DataConverter<T, Object> converter(TypeInformation<T> type) {
        return PythonTypeUtils.TypeInfoToDataConverter.typeInfoDataConverter(type);
    }

    @Override
    public void close() throws Exception {
        try {
            closePython();
        } finally {
            super.close();
        }
    }

    /** PyFlink's operation is wrapped in one that crosses between the languages once per step. */
    @Override
    public void openPythonInterpreter() {
        interpreter = new Interpreter(this);
        interpreter.set("durable_bridge", bridge);
        try {
            interpreter.exec(
                    "from pyflink_durable.runtime.operation import DurableOperation\n"
                            + "durable_operation = DurableOperation(durable_bridge)");
        } catch (Exception e) { // also the interpreter's own, which no method declares
            throw new IllegalStateException(
                    "The Python of this TaskManager cannot load pyflink-durable. Install it there"
                            + " (pip install pyflink-durable), in the release that submitted the"
                            + " job.",
                    e);
        }
        pythonOpen = true;
        super.openPythonInterpreter();
        interpreter.exec("durable_operation.bind(operation)");
    }

    /**
     * Ends the handlers and their threads. The bridge closes first, so that nothing an interrupted
     * call still does reaches the journal. Flink's own operator tells Python only of a regular end.
     */
    private void closePython() {
        if (!pythonOpen) {
            return;
        }
        pythonOpen = false;
        bridge.close();
        interpreter.exec(
                "durable_operation.close()\n"
                        + "for name in ('durable_operation', 'durable_bridge', 'operation'):\n"
                        + "    globals().pop(name, None)");
        LOG.info(
                "durable-counters {\"operator\": \"{}\", \"subtask\": {}, \"attempt\": {}, {}}",
                name,
                getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(),
                getRuntimeContext().getTaskInfo().getAttemptNumber(),
                counters.toJsonMembers());
    }

    // ------------------------------------------------------------------ inputs

    @Override
    public void processElement(StreamRecord<IN> element) throws Exception {
        ensureRestored(); // selects other keys, so the element's own is taken from the element
        Row key = (Row) getCurrentKey();
        IN value = copyInputs ? inputSerializer.copy(element.getValue()) : element.getValue();
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
    public void endInput() {
        try {
            ensureRestored();
            while (scheduler.hasInFlight()) {
                mailbox.yield();
            }
        } catch (Exception e) {
            throw new IllegalStateException(
                    "Operator " + name + " could not finish what is in flight at end of input", e);
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
        int count = scheduler.restore();
        if (selected != null) {
            setCurrentKey(selected);
        }
        if (count > 0) {
            LOG.info("Operator {} runs {} restored invocations again", name, count);
        }
    }

    // ------------------------------------------------------------------ handlers

    /** Starts every handler that may run; one that ends at once makes room for the next. */
    private void startReady() throws Exception {
        Invocation<Row, IN> starting;
        while ((starting = scheduler.startNext()) != null) {
            bridge.begin(starting);
            setCurrentKey(starting.key());
            Object[] element = {
                inputConverter.toExternal(starting.input().value()),
                starting.id(),
                starting.input().timestamp(),
                starting.journal().size()
            };
            apply((Object[]) interpreter.invokeMethod("durable_operation", "start", element));
        }
    }

    /** Resumes every handler that waits for a call that has ended. */
    private void resume() throws Exception {
        wakeQueued.set(false);
        if (pythonOpen) {
            apply((Object[]) interpreter.invokeMethod("durable_operation", "resume"));
            startReady();
        }
    }

    /** Applies what happened in a step of Python: journal writes, ends of invocations, outputs. */
    private void apply(@Nullable Object[] report) throws Exception {
        if (report == null) {
            return;
        }
        bridge.applyJournalWrites(((Number) report[0]).longValue(), (Object[]) report[1]);
        Object[] ended = (Object[]) report[2];
        Object[] outputs = (Object[]) report[3];
        for (int i = 0; i < ended.length; i += 4) {
            Invocation<Row, IN> invocation = scheduler.running(((Number) ended[i]).longValue());
            writeUserState(invocation, (Object[]) ended[i + 2], (Object[]) ended[i + 3]);
            int end = i + 4 < ended.length ? ((Number) ended[i + 5]).intValue() : outputs.length;
            emit(invocation, outputs, ((Number) ended[i + 1]).intValue(), end);
            bridge.end(invocation);
            scheduler.finish(invocation);
        }
        watermarks.release();
    }

    private void writeUserState(
            Invocation<Row, IN> invocation, @Nullable Object[] names, @Nullable Object[] values)
            throws Exception {
        if (names == null || values == null) {
            return;
        }
        setCurrentKey(invocation.key());
        for (int i = 0; i < names.length; i++) {
            userState.put((String) names[i], (byte[]) values[i]);
        }
    }

    private void emit(Invocation<Row, IN> invocation, Object[] outputs, int from, int to) {
        Long timestamp = invocation.input().timestamp();
        if (timestamp == null) {
            collector.eraseTimestamp();
        } else {
            collector.setAbsoluteTimestamp(timestamp);
        }
        for (int i = from; i < to; i++) {
            collector.collect(toOutput(outputs[i]));
        }
    }

    private OUT toOutput(Object value) {
        try {
            return outputConverter.toInternal(value);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException(
                    String.format(
                            "Operator %s emitted a value that does not fit its output_type %s."
                                    + " Return or collect values of that type, or declare another,"
                                    + " such as Types.PICKLED_BYTE_ARRAY() for any Python object.",
                            name, outputType),
                    e);
        }
    }

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
        getProcessingTimeService().registerTimer(epochMillis, time -> resume());
    }

    @Override
    @SuppressWarnings("unchecked")
    public Object externalKey(Invocation<?, ?> invocation) {
        return keyConverter.toExternal((K) ((Row) invocation.key()).getField(0));
    }

    @Override
    public UserState userState(long id) {
        setCurrentKey(scheduler.running(id).key());
        return userState;
    }

    @Override
    public boolean hasSideOutput(String tag) {
        return getSideOutputTags().stream().map(OutputTag::getId).anyMatch(tag::equals);
    }

    // ------------------------------------------------------------------ snapshots

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        Object selected = getCurrentKey();
        scheduler.saveChanges();
        if (selected != null) {
            setCurrentKey(selected);
        }
        super.snapshotState(context);
    }

    // ------------------------------------------------------------------ what PyFlink asks for

    @Override
    public Object getFunctionContext() {
        return new FunctionContext();
    }

    /**
     * What PyFlink gives to the host as its context, and to the Python functions that it runs in
     * this operator behind the host. These see an output while Python still runs, long after the
     * operator has met its input.
     */
    public final class FunctionContext {

        private long timestamp = Long.MIN_VALUE;

        /** What the host emits from here on is of an input with this timestamp. */
        public void emitAt(long inputTimestamp) {
            timestamp = inputTimestamp;
        }

        /** The timestamp of the output, in Flink's form: the smallest number where it has none. */
        public long timestamp() {
            return timestamp;
        }

        public long currentProcessingTime() {
            return getProcessingTimeService().getCurrentProcessingTime();
        }

        @SuppressWarnings("unchecked")
        public Object getCurrentKey() {
            Row key = (Row) DurableKeyedProcessOperator.this.getCurrentKey();
            return keyConverter.toExternal((K) key.getField(0));
        }

        /** PyFlink asks for it; there are no timers for a durable handler. */
        @Nullable
        public Object timerService() {
            return null;
        }
    }

    @Override
    public <T> AbstractEmbeddedDataStreamPythonFunctionOperator<T> copy(
            DataStreamPythonFunctionInfo function, TypeInformation<T> chainedOutputType) {
        return new DurableKeyedProcessOperator<>(
                config, function, inputType, chainedOutputType, name, maxInFlight, maxPending);
    }
}
