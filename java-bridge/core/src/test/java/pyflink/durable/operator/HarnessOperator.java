package pyflink.durable.operator;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunction;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunctionInfo;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.types.Row;
import pyflink.durable.engine.HandlerHost;
import pyflink.durable.engine.HarnessHost;
import pyflink.durable.engine.InvocationEngine;
import pyflink.durable.engine.Limits;
import pyflink.durable.state.HandlerVersions;
import pyflink.durable.state.Input;
import pyflink.durable.state.InputSeals;
import pyflink.durable.state.Retention;

/**
 * The real operator with two parts of the test's: its handlers run in a {@link HarnessHost}, not in
 * Python's interpreter, which is not opened; and the test tells of what is before and behind it.
 */
public final class HarnessOperator extends DurableKeyedProcessOperator<Row, Row, String> {

    static final String NAME = "durable";
    static final String UID = "durable-uid";

    private static final long serialVersionUID = 1L;

    private final HarnessNetwork network = new HarnessNetwork();
    private final transient HarnessHost host;
    private transient StateAccesses accesses;
    private transient DurableBridge bridge;
    private Supplier<CompletableFuture<?>> outputAvailable =
            () -> CompletableFuture.completedFuture(null);
    private Runnable onEmit = () -> {};
    private transient InputSeals<Row> seals = new AsTheyAre();

    /**
     * @param keyField the type of the only field of the key
     * @param callLog settings of the call log, null for an operator without one
     */
    HarnessOperator(
            TypeInformation<?> keyField,
            Limits limits,
            Retention retention,
            @Nullable Map<String, String> callLog,
            HandlerVersions versions) {
        super(
                new Configuration(),
                new DataStreamPythonFunctionInfo(
                        new DataStreamPythonFunction(new byte[0], null), 0),
                Types.ROW(keyField, Types.STRING),
                Types.STRING,
                new OperatorSettings(NAME, UID, limits, retention, callLog, versions));
        this.host = new HarnessHost(callLog != null);
    }

    @Override
    HandlerHost<Row, Row> newHost() {
        return host;
    }

    @Override
    InputSeals<Row> newSeals(TypeSerializer<Row> serializer) {
        return seals;
    }

    /** Inputs go into the state so from the next opening on. */
    void seals(InputSeals<Row> newSeals) {
        seals = newSeals;
    }

    @Override
    void openHost() {
        collector = new TimestampedCollector<>(output);
        accesses = new StateAccesses();
        getRuntimeContext().setKeyedStateStore(accesses.watch(getKeyedStateStore()));
        bridge = newBridge();
        host.open(
                bridge, engine().requests(), getProcessingTimeService()::getCurrentProcessingTime);
    }

    public HarnessHost host() {
        return host;
    }

    public DurableBridge bridge() {
        return bridge;
    }

    @Override
    public InvocationEngine<Row, Row> engine() {
        return super.engine();
    }

    /** Takes the test's mails, which come behind those that are there. */
    public MailboxExecutor mailbox() {
        return getContainingTask()
                .getMailboxExecutorFactory()
                .createExecutor(TaskMailbox.MIN_PRIORITY);
    }

    public StateAccesses accesses() {
        return accesses;
    }

    // ------------------------------------------------------------------ before and behind it

    @Override
    public HarnessNetwork network() {
        return network;
    }

    @Override
    public CompletableFuture<?> outputAvailable() {
        return outputAvailable.get();
    }

    /** The operators behind take outputs when what this gives is done. */
    public void outputAvailable(Supplier<CompletableFuture<?>> available) {
        outputAvailable = available;
    }

    @Override
    public void emit(@Nullable Long timestamp, Object[] outputs, int from, int to) {
        super.emit(timestamp, outputs, from, to);
        onEmit.run();
    }

    /** What the operators behind do when an invocation's outputs come. */
    public void onEmit(Runnable action) {
        onEmit = action;
    }

    /** Inputs stand in the state as they came. */
    private static final class AsTheyAre implements InputSeals<Row> {

        @Override
        public Input<Row> seal(Input<Row> input) {
            return input;
        }

        @Override
        public Input<Row> open(Input<Row> stored) {
            return stored;
        }
    }
}
