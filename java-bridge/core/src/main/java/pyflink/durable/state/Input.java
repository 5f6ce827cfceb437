package pyflink.durable.state;

import java.util.Objects;
import javax.annotation.Nullable;

/** An accepted input element of a key, as it is kept in keyed state while its invocation runs. */
public final class Input<IN> {

    private final long sequence;
    @Nullable private final Long timestamp;
    private final IN value;

    /**
     * @param sequence the number of this input among all that its key has ever received, from 0
     * @param timestamp the element's timestamp in milliseconds, null if it has none
     */
    public Input(long sequence, @Nullable Long timestamp, IN value) {
        this.sequence = sequence;
        this.timestamp = timestamp;
        this.value = value;
    }

    public long sequence() {
        return sequence;
    }

    @Nullable
    public Long timestamp() {
        return timestamp;
    }

    public IN value() {
        return value;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Input)) {
            return false;
        }
        Input<?> that = (Input<?>) other;
        return sequence == that.sequence
                && Objects.equals(timestamp, that.timestamp)
                && Objects.equals(value, that.value);
    }

    @Override
    public int hashCode() {
        return Objects.hash(sequence, timestamp, value);
    }
}
