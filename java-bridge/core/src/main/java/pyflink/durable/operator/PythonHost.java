package pyflink.durable.operator;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedPythonFunctionOperator;
import org.apache.flink.types.Row;
import pyflink.durable.engine.HandlerHost;
import pyflink.durable.engine.Invocation;
import pyflink.durable.state.Input;
import pyflink.durable.value.InputValues;
import pyflink.durable.value.OutputValues;
import pyflink.durable.value.PickledKeys;
import pyflink.durable.value.ValueException;
import pyflink.durable.value.ValueType;

/** The host in PyFlink's interpreter. */
final class PythonHost<IN> implements HandlerHost<Row, IN> {

    /** Flink's timestamp of an element that has none. */
    static final long NO_TIMESTAMP = Long.MIN_VALUE;

    private final AbstractEmbeddedPythonFunctionOperator<?> operator;
    private final String name;
    private final ValueType<Object> keyType;
    private final PickledKeys pickledKeys;
    private final InputValues<Object> inputs;
    private final OutputValues<?> outputs;
    @Nullable private final String version;
    private final Runnable afterClose;

    /** Null until PyFlink has opened it. */
    @Nullable private Interpreter interpreter;

    /**
     * @param name of the operator
     * @param inputType PyFlink's: a row of key and value
     * @param version the current one of the handler; null if the job names none
     */
    PythonHost(
            AbstractEmbeddedPythonFunctionOperator<?> operator,
            String name,
            TypeInformation<?> inputType,
            OutputValues<?> outputs,
            @Nullable String version,
            Runnable afterClose) {
        this.operator = operator;
        this.name = name;
        TypeInformation<Object> key = ((RowTypeInfo) inputType).getTypeAt(0);
        this.keyType = ValueType.of(key);
        this.pickledKeys = new PickledKeys(key);
        this.inputs = new InputValues<>(ValueType.of(((RowTypeInfo) inputType).getTypeAt(1)));
        this.outputs = outputs;
        this.version = version;
        this.afterClose = afterClose;
    }

    /**
     * Makes the host around PyFlink's operation: one that crosses between the languages once per
     * step.
     *
     * @param job the job's name
     * @param python the job's, open
     * @param openOperation has PyFlink make its own
     */
    void open(
            String job,
            JobPython python,
            DurableBridge bridge,
            HandlerMetrics metrics,
            Runnable openOperation) {
        Interpreter opened = new Interpreter(operator);
        InterpreterSetup.prepare(opened, job, python, bridge, metrics, outputs);
        interpreter = opened;
        openOperation.run();
        opened.exec("durable_host.bind(operation)");
    }

    @Override
    public void checkKey(Row key) {
        Object value = key.getField(0);
        if (value == null) {
            throw new IllegalArgumentException(
                    String.format(
                            "Operator %s got an input whose key is None. Inputs without a key would"
                                    + " all wait for each other: leave them out before key_by, or"
                                    + " give each a key of its own.",
                            name));
        }
        if (!pickledKeys.arePlain(value)) {
            interpreter.invokeMethod("durable_host", "check_key", name, keyType.pickle(value));
        }
    }

    @Override
    public Object[] start(List<Invocation<Row, IN>> invocations, long millis) {
        // one value that crosses in place of four for each invocation
        ByteBuffer numbers = ByteBuffer.allocate(4 * Long.BYTES * invocations.size());
        List<Object> others = null; // those that another version of the handler has accepted
        for (Invocation<Row, IN> invocation : invocations) {
            if (!inputs.hasRoom()) {
                break;
            }
            Input<IN> input = invocation.input();
            addValue(invocation);
            numbers.putLong(invocation.id());
            numbers.putLong(input.timestamp() == null ? NO_TIMESTAMP : input.timestamp());
            numbers.putLong(invocation.journal().size());
            numbers.putLong(input.sequence());
            if (!Objects.equals(input.handlerVersion(), version)) {
                others = others == null ? new ArrayList<>() : others;
                others.add(invocation.id());
                others.add(input.handlerVersion());
            }
        }
        byte[] written = Arrays.copyOf(numbers.array(), numbers.position());
        Object[] arguments = {
            inputs.take(), written, millis, others == null ? null : others.toArray()
        };
        return read(interpreter.invokeMethod("durable_host", "start", arguments));
    }

    private void addValue(Invocation<Row, IN> invocation) {
        try {
            inputs.add(((Row) invocation.input().value()).getField(1));
        } catch (ValueException e) {
            throw new IllegalArgumentException(
                    String.format(
                            "Operator %s cannot hand an input of key %s to Python: %s",
                            name, invocation.key(), e.getMessage()),
                    e);
        }
    }

    /** Reads the outputs, the last part of a report. */
    @Nullable
    private Object[] read(@Nullable Object report) {
        Object[] parts = (Object[]) report;
        if (parts != null) {
            int last = parts.length - 1;
            parts[last] = outputs.read((Object[]) parts[last]);
        }
        return parts;
    }

    @Override
    @Nullable
    public Object[] resume(@Nullable Object[] released) {
        Object[] arguments = {released};
        return read(interpreter.invokeMethod("durable_host", "resume", arguments));
    }

    @Override
    public Object[] keep(Object[] invocations) {
        Object[] arguments = {invocations};
        return (Object[]) interpreter.invokeMethod("durable_host", "keep", arguments);
    }

    @Override
    public Object[] park(Object[] invocations) {
        Object[] arguments = {invocations};
        return (Object[]) interpreter.invokeMethod("durable_host", "park", arguments);
    }

    /** Whether the state is to hold inputs as payloads. */
    boolean sealsInputs(boolean pickled) {
        return (Boolean) interpreter.invokeMethod("durable_host", "seals_inputs", pickled);
    }

    /** The payload of an input for the state. */
    byte[] sealInput(Row key, Input<?> input, byte[] data, boolean pickled) {
        return crossed("seal_input", key, input, data, pickled);
    }

    /** What was made a payload. */
    byte[] openInput(Row key, Input<?> stored, boolean pickled) {
        return crossed("open_input", key, stored, stored.sealed(), pickled);
    }

    private byte[] crossed(String method, Row key, Input<?> input, byte[] data, boolean pickled) {
        Object[] arguments = {
            keyType.pickle(key.getField(0)), input.sequence(), input.handlerVersion(), data, pickled
        };
        return (byte[]) interpreter.invokeMethod("durable_host", method, arguments);
    }

    @Override
    public Object[] refuse(Row key, IN value, int most) {
        inputs.add(((Row) value).getField(1));
        Object[] arguments = {inputs.take(), keyType.pickle(key.getField(0)), most};
        return outputs.read(
                (Object[]) interpreter.invokeMethod("durable_host", "refuse", arguments));
    }

    @Override
    public Object[] readSignal(byte[] content, Object key) {
        return (Object[]) interpreter.invokeMethod("durable_host", "read_signal", content, key);
    }

    @Override
    public void signalled(long invocation) {
        interpreter.invokeMethod("durable_host", "signalled", invocation);
    }

    @Override
    public Object[] unclaimed(Object[] signals) {
        Object[] arguments = {signals};
        return outputs.read(
                (Object[]) interpreter.invokeMethod("durable_host", "unclaimed", arguments));
    }

    /** Flink's own operator tells Python only of a regular end. */
    @Override
    public void close() {
        if (interpreter == null) {
            return;
        }
        Interpreter closing = interpreter;
        interpreter = null;
        try {
            InterpreterSetup.close(closing);
        } finally {
            afterClose.run();
        }
    }
}
