package pyflink.durable.operator;

import java.util.function.LongSupplier;
import java.util.function.Supplier;
import javax.annotation.Nullable;

/**
 * What PyFlink gives to the host as its context, and to the Python functions that it runs in this
 * operator behind the host. These see an output while Python still runs, long after the operator
 * has met its input.
 */
public final class FunctionContext {

    private final LongSupplier clock;
    private final Supplier<Object> currentKey;
    private long timestamp = PythonHost.NO_TIMESTAMP;

    FunctionContext(LongSupplier clock, Supplier<Object> currentKey) {
        this.clock = clock;
        this.currentKey = currentKey;
    }

    /** What the host emits from here on is of an input with this timestamp. */
    public void emitAt(long inputTimestamp) {
        timestamp = inputTimestamp;
    }

    /** The timestamp of the output, in Flink's form: the smallest number where it has none. */
    public long timestamp() {
        return timestamp;
    }

    public long currentProcessingTime() {
        return clock.getAsLong();
    }

    public Object getCurrentKey() {
        return currentKey.get();
    }

    /** PyFlink asks for it; there are no timers for a durable handler. */
    @Nullable
    public Object timerService() {
        return null;
    }
}
