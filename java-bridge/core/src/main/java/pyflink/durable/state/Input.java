package pyflink.durable.state;

import java.util.Objects;
import javax.annotation.Nullable;

/** An accepted input element of a key, as it is kept in keyed state while its invocation runs. */
public final class Input<IN> {

    private final long sequence;
    @Nullable private final Long timestamp;
    @Nullable private final Long outputTimestamp;
    @Nullable private final String handlerVersion;
    private final IN value;

    /**
     * @param sequence the number of this input among all that its key has ever received, from 0
     * @param timestamp the element's timestamp in milliseconds, null if it has none
     */
    public Input(long sequence, @Nullable Long timestamp, IN value) {
        this(sequence, timestamp, timestamp, null, value);
    }

    /**
     * @param outputTimestamp that of its outputs, larger than its own if these would be late
     * @param handlerVersion the version of the handler that accepted it, and handles it to the end;
     *     null if that had none
     */
    public Input(
            long sequence,
            @Nullable Long timestamp,
            @Nullable Long outputTimestamp,
            @Nullable String handlerVersion,
            IN value) {
        this.sequence = sequence;
        this.timestamp = timestamp;
        this.outputTimestamp = outputTimestamp;
        this.handlerVersion = handlerVersion;
        this.value = value;
    }

    /** The same, whose outputs are behind a watermark. */
    public Input<IN> behind(long watermark) {
        return outputTimestamp == null || outputTimestamp > watermark
                ? this
                : new Input<>(sequence, timestamp, watermark + 1, handlerVersion, value);
    }

    /** The same by another number. */
    Input<IN> numbered(long number) {
        return new Input<>(number, timestamp, outputTimestamp, handlerVersion, value);
    }

    public long sequence() {
        return sequence;
    }

    @Nullable
    public Long timestamp() {
        return timestamp;
    }

    @Nullable
    public Long outputTimestamp() {
        return outputTimestamp;
    }

    @Nullable
    public String handlerVersion() {
        return handlerVersion;
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
                && Objects.equals(outputTimestamp, that.outputTimestamp)
                && Objects.equals(handlerVersion, that.handlerVersion)
                && Objects.equals(value, that.value);
    }

    @Override
    public int hashCode() {
        return Objects.hash(sequence, timestamp, value);
    }
}
