package pyflink.durable.operator;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedPythonFunctionOperator;
import org.apache.flink.streaming.runtime.tasks.StreamTask;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * PyFlink's interpreter, reached without naming its class.
 *
 * <p>With flink-python in the cluster's {@code lib} folder, where it must be for a second job,
 * PyFlink has the interpreter's class from there; {@code flink run -py} ships the same jar with the
 * job, and the job's class loader takes what is not Flink's own from the job first. A class of this
 * jar that named {@code pemja.core.PythonInterpreter} would get a second one, and fail with a
 * {@code LinkageError}.
 */
final class Interpreter {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private static final String REMEDY =
            "Copy opt/flink-python-*.jar of the Flink distribution into the lib folder of every"
                    + " TaskManager and restart it.";

    private final MethodHandle set;
    private final MethodHandle exec;
    private final MethodHandle invokeMethod;

    /** The interpreter that an operator has opened. */
    Interpreter(AbstractEmbeddedPythonFunctionOperator<?> operator) {
        try {
            Field field =
                    AbstractEmbeddedPythonFunctionOperator.class.getDeclaredField("interpreter");
            field.setAccessible(true);
            Object interpreter = field.get(operator);
            warnIfShippedWithJob(interpreter.getClass());
            set = method(interpreter, "set", String.class, Object.class);
            exec = method(interpreter, "exec", String.class);
            invokeMethod =
                    method(interpreter, "invokeMethod", String.class, String.class, Object[].class)
                            .asFixedArity();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(
                    "This version of Flink has another Python interpreter than pyflink-durable knows."
                            + " Use a version that the README names.",
                    e);
        }
    }

    /**
     * An interpreter that came with the job is loaded by the job's class loader, and no other job's
     * can have one in the same process.
     */
    private static void warnIfShippedWithJob(Class<?> interpreter) {
        if (interpreter.getClassLoader() != StreamTask.class.getClassLoader()) {
            LOG.warn(
                    "flink-python is not in the cluster's lib folder but came with the job: the next"
                            + " job in this TaskManager will fail. {}",
                    REMEDY);
        }
    }

    /**
     * Says the remedy if another job has loaded the interpreter before: the native library of a
     * process belongs to one class loader, and PyFlink's way around that is closed since Java 9.
     */
    static void explainOpenFailure(Throwable failure) {
        for (Throwable e = failure; e != null; e = e.getCause()) {
            String message = String.valueOf(e.getMessage());
            if (message.contains("loadedLibraryNames")
                    || message.contains("already loaded in another classloader")) {
                throw new IllegalStateException(
                        "Another job has loaded Python in this TaskManager before, and flink-python"
                                + " came with each of the two jobs. "
                                + REMEDY,
                        failure);
            }
        }
    }

    private static MethodHandle method(Object interpreter, String name, Class<?>... parameters)
            throws ReflectiveOperationException {
        return MethodHandles.publicLookup()
                .unreflect(interpreter.getClass().getMethod(name, parameters))
                .bindTo(interpreter);
    }

    /** Gives a variable of the interpreter's main module a value. */
    void set(String variable, Object value) {
        try {
            set.invokeExact(variable, value);
        } catch (Throwable e) {
            throw Interpreter.<RuntimeException>rethrow(e);
        }
    }

    /** Runs statements in the interpreter's main module. */
    void exec(String statements) {
        try {
            exec.invokeExact(statements);
        } catch (Throwable e) {
            throw Interpreter.<RuntimeException>rethrow(e);
        }
    }

    /** Calls a method of a variable of the interpreter's main module. */
    Object invokeMethod(String variable, String method, Object... arguments) {
        try {
            return (Object) invokeMethod.invokeExact(variable, method, arguments);
        } catch (Throwable e) {
            throw Interpreter.<RuntimeException>rethrow(e);
        }
    }

    /**
     * Throws what the interpreter threw, as it is. Its {@code PythonException} is a checked one
     * that no method declares, since it is thrown by native code.
     */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> RuntimeException rethrow(Throwable e) throws E {
        throw (E) e;
    }
}
