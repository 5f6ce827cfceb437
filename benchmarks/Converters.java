import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.streaming.api.utils.PythonTypeUtils.DataConverter;
import org.apache.flink.streaming.api.utils.PythonTypeUtils.TypeInfoToDataConverter;
import org.apache.flink.types.Row;
import pemja.core.PythonInterpreter;
import pemja.core.PythonInterpreterConfig;
import pyflink.durable.value.InputValues;
import pyflink.durable.value.OutputValues;
import pyflink.durable.value.ValueType;

/**
 * The Java half of {@code converters.py}: the interpreter's own, as in a TaskManager. Prints a line
 * for each measurement: type, direction, whose converters, microseconds per element.
 */
final class Converters {

    private static final ThreadMXBean CPU = ManagementFactory.getThreadMXBean();
    private static final int ELEMENTS = 256;
    private static final int ROUNDS = 30;
    private static final int REPETITIONS = 20;

    private final PythonInterpreter python;

    private Converters(PythonInterpreter python) {
        this.python = python;
    }

    /** Arguments: the Python, and the folder of {@code converters.py}. */
    public static void main(String[] arguments) {
        PythonInterpreter python =
                new PythonInterpreter(
                        PythonInterpreterConfig.newBuilder()
                                .setPythonExec(arguments[0])
                                .addPythonPaths(arguments[1])
                                .setExcType(PythonInterpreterConfig.ExecType.MULTI_THREAD)
                                .build());
        python.exec("from converters import half");
        Converters bench = new Converters(python);
        bench.measure("string", Types.STRING);
        bench.measure(
                "row of ten",
                new RowTypeInfo(
                        Types.STRING,
                        Types.INT,
                        Types.DOUBLE,
                        Types.BOOLEAN,
                        Types.STRING,
                        Types.STRING,
                        Types.LONG,
                        Types.DOUBLE,
                        Types.STRING,
                        Types.STRING));
        bench.measure("pickled dict", PickledByteArrayTypeInfo.PICKLED_BYTE_ARRAY_TYPE_INFO);
        System.exit(0); // the interpreter's threads go on
    }

    @SuppressWarnings("unchecked")
    private <T> void measure(String kind, TypeInformation<T> type) {
        OutputValues<T> outputs = new OutputValues<>(type, List.of());
        python.invokeMethod("half", "take_type", kind, outputs.describe());
        InputValues<Object> inputs = new InputValues<>(ValueType.of((TypeInformation<Object>) type));
        // one for each element: PyFlink's own refills one row
        List<DataConverter<Object, Object>> stock = new ArrayList<>();
        Object[] values = new Object[ELEMENTS];
        for (int i = 0; i < ELEMENTS; i++) {
            stock.add(
                    TypeInfoToDataConverter.typeInfoDataConverter((TypeInformation<Object>) type));
            values[i] = value(kind, i);
        }
        print(kind, "in", "PyFlink's", () -> stockIn(kind, stock, values));
        print(kind, "in", "ours", () -> in(kind, inputs, values));
        print(kind, "out", "PyFlink's", () -> stockOut(kind, stock));
        print(kind, "out", "ours", () -> outputs.read(called("out", kind)));
    }

    private Object stockIn(String kind, List<DataConverter<Object, Object>> stock, Object[] values) {
        Object[] external = new Object[ELEMENTS];
        for (int i = 0; i < ELEMENTS; i++) {
            external[i] = stock.get(i).toExternal(values[i]);
        }
        return python.invokeMethod("half", "stock_in", kind, external);
    }

    private Object in(String kind, InputValues<Object> inputs, Object[] values) {
        for (Object value : values) {
            inputs.add(value);
        }
        return python.invokeMethod("half", "take", kind, inputs.take());
    }

    private Object stockOut(String kind, List<DataConverter<Object, Object>> stock) {
        Object[] values = called("stock_out", kind);
        for (int i = 0; i < ELEMENTS; i++) {
            values[i] = stock.get(i).toInternal(values[i]);
        }
        return values;
    }

    private Object[] called(String method, String kind) {
        return (Object[]) python.invokeMethod("half", method, kind, 0);
    }

    private Object value(String kind, int i) {
        switch (kind) {
            case "string":
                return "order-" + i;
            case "row of ten":
                return Row.of(
                        "order-" + i, i, 3.5 * i, true, null, "customer-" + i, 1L << 40, 1.25,
                        "GB", "x");
            default:
                return python.invokeMethod("half", "pickled", kind, i);
        }
    }

    /** The best of many rounds, in time of the CPU: others work on the machine. */
    private static void print(String kind, String way, String whose, Supplier<Object> convert) {
        double best = Double.MAX_VALUE;
        for (int round = 0; round < ROUNDS; round++) {
            long start = CPU.getCurrentThreadCpuTime();
            for (int i = 0; i < REPETITIONS; i++) {
                convert.get();
            }
            double used = (CPU.getCurrentThreadCpuTime() - start) / 1e3 / REPETITIONS / ELEMENTS;
            best = Math.min(best, used);
        }
        System.out.printf("measured\t%s\t%s\t%s\t%.3f%n", kind, way, whose, best);
    }
}
