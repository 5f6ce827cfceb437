package pyflink.durable.value;

import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;

/**
 * Collects the values of a step for Python, in a few pickles of many values each.
 *
 * <p>A pickle is as large as Python should read at a time: between two of them it looks at the
 * clock. All of a step together are as large as the task's memory should hold twice: a step of many
 * large values hands over fewer.
 */
public final class InputValues<T> {

    private static final int PICKLE_BYTES = 64 * 1024;
    private static final long STEP_BYTES = 16L * 1024 * 1024;

    private final ValueType<T> type;
    private final PickleWriter writer = new PickleWriter();
    private List<byte[]> pickles = new ArrayList<>();
    private long bytes;

    public InputValues(ValueType<T> type) {
        this.type = type;
    }

    /** Whether another value is to go into the step. */
    public boolean hasRoom() {
        return bytes + writer.size() < STEP_BYTES;
    }

    /**
     * Adds a value.
     *
     * @throws ValueException if Python has no such value; the step's other values are gone then
     */
    public void add(@Nullable T value) {
        if (writer.size() == 0) {
            writer.begin(type.prologue());
            writer.beginList();
        }
        try {
            type.converter().write(value, writer);
        } catch (RuntimeException e) {
            writer.take();
            take();
            throw e;
        }
        if (writer.size() >= PICKLE_BYTES) {
            endPickle();
        }
    }

    /** The pickles of lists of the values, in their order; and begins anew. */
    public Object[] take() {
        endPickle();
        Object[] taken = pickles.toArray();
        pickles = new ArrayList<>();
        bytes = 0;
        return taken;
    }

    private void endPickle() {
        if (writer.size() > 0) {
            writer.endList();
            writer.op(Opcode.STOP);
            bytes += writer.size();
            pickles.add(writer.take());
        }
    }
}
