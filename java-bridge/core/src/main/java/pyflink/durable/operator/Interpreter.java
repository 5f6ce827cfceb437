package pyflink.durable.operator;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedPythonFunctionOperator;

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
            throw unchecked(e);
        }
    }

    /** Runs statements in the interpreter's main module. */
    void exec(String statements) {
        try {
            exec.invokeExact(statements);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** Calls a method of a variable of the interpreter's main module. */
    Object invokeMethod(String variable, String method, Object... arguments) {
        try {
            return (Object) invokeMethod.invokeExact(variable, method, arguments);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** None of the interpreter's methods declares a checked exception. */
    private static RuntimeException unchecked(Throwable e) {
        if (e instanceof Error) {
            throw (Error) e;
        }
        return (RuntimeException) e;
    }
}
