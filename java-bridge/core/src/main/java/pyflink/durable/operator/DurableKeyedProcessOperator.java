package pyflink.durable.operator;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.apache.flink.python.env.PythonDependencyInfo;
import org.apache.flink.python.env.embedded.EmbeddedPythonEnvironmentManager;
import org.apache.flink.runtime.checkpoint.CheckpointOptions;
import org.apache.flink.runtime.io.AvailabilityProvider;
import org.apache.flink.runtime.io.network.api.writer.ResultPartitionWriter;
import org.apache.flink.runtime.state.CheckpointStreamFactory;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunctionInfo;
import org.apache.flink.streaming.api.operators.OperatorSnapshotFutures;
import org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedDataStreamPythonFunctionOperator;
import org.apache.flink.streaming.api.operators.python.embedded.EmbeddedPythonKeyedProcessOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.engine.FlinkTask;
import pyflink.durable.engine.HandlerHost;
import pyflink.durable.engine.InputNetwork;
import pyflink.durable.engine.InvocationEngine;
import pyflink.durable.log.CallLog;
import pyflink.durable.state.CallLogState;
import pyflink.durable.state.InputForm;
import pyflink.durable.state.InputSeals;
import pyflink.durable.state.UnclaimedState;
import pyflink.durable.state.VersionState;
import pyflink.durable.state.WatermarkState;
import pyflink.durable.value.OutputValues;
import pyflink.durable.value.SideOutput;
import pyflink.durable.value.ValueType;

/**
 * Runs a Python handler for each element of a keyed stream, many keys at a time, and keeps the
 * journal of its outside calls in keyed state.
 *
 * <p>What is of PyFlink is here: the interpreter, the conversion of values between the languages,
 * and what it asks of its operators. The life of an invocation is in {@link InvocationEngine}.
 *
 * <p>Never chained to its upstream (the graph starts a new chain here). The engine's mailbox has
 * the lowest priority: a checkpoint could run in the middle of an upstream operator's element.
 *
 * <p>Over 300 lines: Flink and PyFlink ask an operator for many small things in one class, and
 * there is little more here than who answers them.
 */
public class DurableKeyedProcessOperator<K, IN, OUT>
        extends EmbeddedPythonKeyedProcessOperator<K, IN, OUT> implements FlinkTask {

    private static final long serialVersionUID = 1L;

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final OperatorSettings settings;

    private transient ValueType<Object> keyType;
    private transient InvocationEngine<Row, IN> engine;
    private transient PythonHost<IN> python;
    private transient JobPython jobPython;
    @Nullable private transient CallLogOpening callLogOpening;
    private transient boolean logIsGivenUp;

    private transient boolean fromCheckpoint;
    private transient WatermarkState watermarks;
    private transient VersionState versionState;

    public DurableKeyedProcessOperator(
            Configuration config,
            DataStreamPythonFunctionInfo function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            OperatorSettings settings) {
        super(config, function, inputType, outputType);
        this.inputType = inputType;
        this.outputType = outputType;
        this.settings = settings;
    }

    // ------------------------------------------------------------------ open and close

    @Override
    public void open() throws Exception {
        keyType = ValueType.of(((RowTypeInfo) inputType).getTypeAt(0));
        engine =
                new InvocationEngine<>(
                        settings.name,
                        settings.limits,
                        this,
                        getContainingTask()
                                .getMailboxExecutorFactory()
                                .createExecutor(TaskMailbox.MIN_PRIORITY),
                        newHost(),
                        getMetricGroup());

        openHost();

        if (logIsGivenUp) {
            new UnclaimedState<>(getKeyedStateBackend(), getRuntimeContext()).clear();
        }
        ClassLoader classLoader = getContainingTask().getUserCodeClassLoader();
        TypeSerializer<IN> serializer = getOperatorConfig().getTypeSerializerIn(0, classLoader);
        engine.open(
                getKeyedStateBackend(),
                getRuntimeContext(),
                serializer,
                new InputForm<>(new InputSerializer<>(serializer), newSeals(serializer)),
                getExecutionConfig().isObjectReuseEnabled(),
                settings.retention,
                openCallLog(classLoader),
                fromCheckpoint,
                watermarks.restored(),
                versionState);
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        fromCheckpoint = context.isRestored();
        watermarks = new WatermarkState(context.getOperatorStateStore());
        versionState =
                new VersionState(
                        context.getOperatorStateStore(), settings.versions, fromCheckpoint);
        if (settings.callLog != null) {
            String jobId = getContainingTask().getEnvironment().getJobID().toHexString();
            callLogOpening = new CallLogOpening(settings.callLog, settings.uid, jobId);
            callLogOpening.initializeState(context);
        } else if (CallLogState.forget(context.getOperatorStateStore())) {
            logIsGivenUp = true;
            LOG.warn(
                    "Operator {} had a call log and has none any more. What that held beyond the"
                            + " restored checkpoint is forgotten: such calls run again.",
                    settings.name);
        }
    }

    @Nullable
    private CallLog openCallLog(ClassLoader classLoader) throws Exception {
        if (callLogOpening == null) {
            return null;
        }
        return callLogOpening.open(getRuntimeContext(), classLoader);
    }

    /** What runs the handlers; a test has others than Python's. */
    HandlerHost<Row, IN> newHost() {
        OutputValues<OUT> outputs = new OutputValues<>(outputType, getSideOutputTags());
        String version = settings.versions.current();
        python =
                new PythonHost<>(
                        this, settings.name, inputType, outputs, version, this::logCounters);
        return python;
    }

    /** What makes payloads of inputs for the state; a test has none. */
    InputSeals<IN> newSeals(TypeSerializer<IN> serializer) {
        TypeInformation<?> valueType = ((RowTypeInfo) inputType).getTypeAt(1);
        return new PythonInputSeals<>(
                python, serializer, valueType, getKeyedStateBackend()::getCurrentKey);
    }

    /** Opens PyFlink and the host in its interpreter. */
    void openHost() throws Exception {
        // Where the rest of the job's Python runs does not matter to this operator; PyFlink has
        // written the job's own setting over ours when the graph was built.
        config.set(PythonOptions.PYTHON_EXECUTION_MODE, "thread");
        try {
            super.open();
        } catch (Exception | LinkageError e) {
            Interpreter.explainOpenFailure(e);
            throw e;
        }
    }

    @Override
    public void close() throws Exception {
        try {
            if (engine != null) {
                engine.close();
            }
        } finally {
            super.close();
        }
    }

    /** By PyFlink's open, before it has the interpreter. */
    @Override
    protected EmbeddedPythonEnvironmentManager createPythonEnvironmentManager() {
        RuntimeContext context = getRuntimeContext();
        jobPython =
                new JobPython(
                        PythonDependencyInfo.create(config, context.getDistributedCache()),
                        getContainingTask()
                                .getEnvironment()
                                .getTaskManagerInfo()
                                .getTmpDirectories(),
                        systemEnvEnabled ? System.getenv() : Map.of(),
                        context.getJobInfo().getJobId());
        return jobPython;
    }

    /** By PyFlink's open, when it has the interpreter. */
    @Override
    public void openPythonInterpreter() {
        python.open(
                getRuntimeContext().getJobInfo().getJobName(),
                jobPython,
                newBridge(),
                new HandlerMetrics(getMetricGroup()),
                super::openPythonInterpreter);
    }

    /** What Python sees of the engine. */
    DurableBridge newBridge() {
        return new DurableBridge(engine.invocations(), engine.requests(), engine.counters());
    }

    private void logCounters() {
        TaskInfo task = getRuntimeContext().getTaskInfo();
        LOG.info(
                "durable-counters {\"operator\": \"{}\", \"subtask\": {}, \"attempt\": {}, {}}",
                settings.name,
                task.getIndexOfThisSubtask(),
                task.getAttemptNumber(),
                engine.counters().toJsonMembers());
    }

    // ------------------------------------------------------------------ inputs

    @Override
    public void processElement(StreamRecord<IN> element) throws Exception {
        engine.accept(element);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        engine.accept(mark);
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        engine.accept(status);
    }

    @Override
    public void endInput() {
        try {
            engine.endInput();
        } catch (Exception e) {
            throw new IllegalStateException(
                    "Operator "
                            + settings.name
                            + " could not finish what is in flight at end of input",
                    e);
        }
    }

    // ------------------------------------------------------------------ what the engine asks for

    @Override
    public InputNetwork network() {
        return new TaskNetwork(getContainingTask());
    }

    @Override
    @SuppressWarnings("unchecked")
    public void emit(@Nullable Long timestamp, Object[] outputs, int from, int to) {
        if (timestamp == null) {
            collector.eraseTimestamp();
        } else {
            collector.setAbsoluteTimestamp(timestamp);
        }
        for (int i = from; i < to; i++) {
            if (outputs[i] instanceof SideOutput) {
                ((SideOutput<?>) outputs[i]).emit(output, timestamp);
            } else {
                collector.collect((OUT) outputs[i]);
            }
        }
    }

    @Override
    public CompletableFuture<?> outputAvailable() {
        for (ResultPartitionWriter writer : getContainingTask().getEnvironment().getAllWriters()) {
            CompletableFuture<?> available = writer.getAvailableFuture();
            if (!available.isDone()) {
                return available;
            }
        }
        return AvailabilityProvider.AVAILABLE;
    }

    @Override
    public void emitWatermark(long timestamp) throws Exception {
        super.processWatermark(new Watermark(timestamp));
    }

    @Override
    public void emitWatermarkStatus(WatermarkStatus status) throws Exception {
        super.processWatermarkStatus(status);
    }

    /** A pickle, which any thread may take. */
    @Override
    public Object externalKey(Object key) {
        return keyType.pickle(((Row) key).getField(0));
    }

    @Override
    public boolean hasSideOutput(String tag) {
        return getSideOutputTags().stream().map(OutputTag::getId).anyMatch(tag::equals);
    }

    // ------------------------------------------------------------------ snapshots

    @Override
    public OperatorSnapshotFutures snapshotState(
            long checkpointId,
            long timestamp,
            CheckpointOptions options,
            CheckpointStreamFactory storage)
            throws Exception {
        engine.snapshot(checkpointId, options.getCheckpointType().isSavepoint());
        watermarks.save(engine.lastWatermark());
        return super.snapshotState(checkpointId, timestamp, options, storage);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        super.notifyCheckpointComplete(checkpointId);
        engine.checkpointCompleted(checkpointId);
    }

    // ------------------------------------------------------------------ what PyFlink asks for

    /** PyFlink leaves the user's parameters out in thread mode. */
    @Override
    public Map<String, String> getJobParameters() {
        Map<String, String> parameters =
                new HashMap<>(getRuntimeContext().getGlobalJobParameters());
        parameters.putAll(super.getJobParameters());
        return parameters;
    }

    @Override
    public Object getFunctionContext() {
        return new FunctionContext(
                getProcessingTimeService()::getCurrentProcessingTime,
                () -> externalKey(getCurrentKey()));
    }

    @Override
    public <T> AbstractEmbeddedDataStreamPythonFunctionOperator<T> copy(
            DataStreamPythonFunctionInfo function, TypeInformation<T> chainedOutputType) {
        return new DurableKeyedProcessOperator<>(
                config, function, inputType, chainedOutputType, settings);
    }

    public InvocationEngine<Row, IN> engine() {
        return engine;
    }
}
