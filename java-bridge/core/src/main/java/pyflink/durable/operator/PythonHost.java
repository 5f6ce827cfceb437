package pyflink.durable.operator;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedPythonFunctionOperator;
import org.apache.flink.streaming.api.utils.PythonTypeUtils;
import org.apache.flink.types.Row;

/** The host in PyFlink's interpreter. */
final class PythonHost<IN> implements HandlerHost<Row, IN> {

    /** Flink's timestamp of an element that has none. */
    static final long NO_TIMESTAMP = Long.MIN_VALUE;

    private final AbstractEmbeddedPythonFunctionOperator<?> operator;
    private final TypeInformation<?> valueType;
    private final Runnable afterClose;

    /** One for each value of a step: it gives the same array again for the next. */
    private final List<PythonTypeUtils.DataConverter<Object, Object>> valueConverters =
            new ArrayList<>();

    /** Null until PyFlink has opened it. */
    @Nullable private Interpreter interpreter;

    /**
     * @param inputType PyFlink's: a row of key and value
     */
    PythonHost(
            AbstractEmbeddedPythonFunctionOperator<?> operator,
            TypeInformation<?> inputType,
            Runnable afterClose) {
        this.operator = operator;
        this.valueType = ((RowTypeInfo) inputType).getTypeAt(1);
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
        InterpreterSetup.prepare(opened, job, python, bridge, metrics);
        interpreter = opened;
        openOperation.run();
        opened.exec("durable_operation.bind(operation)");
    }

    @Override
    public Object[] start(List<Invocation<Row, IN>> invocations, long millis) {
        Object[] values = new Object[invocations.size()];
        // one value that crosses in place of four for each invocation
        ByteBuffer numbers = ByteBuffer.allocate(4 * Long.BYTES * invocations.size());
        for (int i = 0; i < values.length; i++) {
            Invocation<Row, IN> invocation = invocations.get(i);
            Input<IN> input = invocation.input();
            values[i] = valueConverter(i).toExternal(((Row) input.value()).getField(1));
            numbers.putLong(invocation.id());
            numbers.putLong(input.timestamp() == null ? NO_TIMESTAMP : input.timestamp());
            numbers.putLong(invocation.journal().size());
            numbers.putLong(input.sequence());
        }
        Object[] arguments = {values, numbers.array(), millis};
        return (Object[]) interpreter.invokeMethod("durable_operation", "start", arguments);
    }

    private PythonTypeUtils.DataConverter<Object, Object> valueConverter(int place) {
        if (place == valueConverters.size()) {
            valueConverters.add(converter(valueType));
        }
        return valueConverters.get(place);
    }

    @SuppressWarnings("unchecked")
    static <T> PythonTypeUtils.DataConverter<T, Object> converter(TypeInformation<?> type) {
        return PythonTypeUtils.TypeInfoToDataConverter.typeInfoDataConverter(
                (TypeInformation<T>) type);
    }

    @Override
    @Nullable
    public Object[] resume(@Nullable Object[] released) {
        Object[] arguments = {released};
        return (Object[]) interpreter.invokeMethod("durable_operation", "resume", arguments);
    }

    /** Flink's own operator tells Python only of a regular end. */
    @Override
    public void close() {
        if (interpreter == null) {
            return;
        }
        Interpreter closing = interpreter;
        interpreter = null;
        InterpreterSetup.close(closing);
        afterClose.run();
    }
}
