package pyflink.durable.state;

import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;

/**
 * The numbers of the inputs of a key, in the order in which they came.
 *
 * <p>Where they tell invocations apart, and idempotency keys are made of them, they go on behind
 * the last input: the next number of each key is kept. Where invocations have ids of their own, the
 * numbers only order the inputs that are in flight together, and none is kept.
 *
 * <p>Those begin high above all that are kept. An input that a job without ids finds in flight has
 * such a number, and is given the next of its key in its place: the numbers from 0 on may have been
 * used before the job had ids, and with them their idempotency keys.
 */
final class Sequences {

    static final String NAME = "durable-sequence";

    /** Behind each input that a job without ids has left in flight. */
    private static final long NOT_KEPT = 1L << 62;

    @Nullable private final KeptState<ValueState<Long>> kept;

    Sequences(RuntimeContext context, Retention retention) {
        kept =
                retention.numbersInputs
                        ? KeptState.register(
                                NAME,
                                retention.keyTtl,
                                false,
                                name -> new ValueStateDescriptor<>(name, LongSerializer.INSTANCE),
                                context::getState,
                                Sequences::move)
                        : null;
    }

    private static void move(ValueState<Long> from, ValueState<Long> to) throws Exception {
        Long next = from.value();
        if (next != null) {
            to.update(next);
        }
        from.clear();
    }

    void takeOver(KeyedStateBackend<?> backend) throws Exception {
        if (kept != null) {
            kept.takeOver(backend);
        }
    }

    /** The next number of the selected key, of which nothing is in flight. */
    long next() throws Exception {
        if (kept == null) {
            return NOT_KEPT;
        }
        Long next = kept.values().value();
        return next == null ? 0 : next;
    }

    /** Whether an input in flight needs another number, since a job with ids has accepted it. */
    boolean replaces(long sequence) {
        return kept != null && sequence >= NOT_KEPT;
    }

    void putNext(long next) throws Exception {
        if (kept != null) {
            kept.values().update(next);
        }
    }
}
