package pyflink.durable.state;

import java.util.Arrays;
import java.util.Objects;
import javax.annotation.Nullable;

/** An accepted input element of a key, as it is kept in keyed state while its invocation runs. */
public final class Input<IN> {

    private final long sequence;
    @Nullable private final Long timestamp;
    @Nullable private final Long outputTimestamp;
    @Nullable private final String handlerVersion;
    @Nullable private final IN value;
    @Nullable private final byte[] sealed;

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
        this(sequence, timestamp, outputTimestamp, handlerVersion, value, null);
    }

    private Input(
            long sequence,
            @Nullable Long timestamp,
            @Nullable Long outputTimestamp,
            @Nullable String handlerVersion,
            @Nullable IN value,
            @Nullable byte[] sealed) {
        this.sequence = sequence;
        this.timestamp = timestamp;
        this.outputTimestamp = outputTimestamp;
        this.handlerVersion = handlerVersion;
        this.value = value;
        this.sealed = sealed;
    }

    /**
     * One whose value is a payload, as Python writes them: only the state has such inputs.
     *
     * @param payload not to be changed any more
     */
    public static <IN> Input<IN> sealed(
            long sequence,
            @Nullable Long timestamp,
            @Nullable Long outputTimestamp,
            @Nullable String handlerVersion,
            byte[] payload) {
        return new Input<>(sequence, timestamp, outputTimestamp, handlerVersion, null, payload);
    }

    /** The same with its value as a payload. */
    public Input<IN> sealedAs(byte[] payload) {
        return sealed(sequence, timestamp, outputTimestamp, handlerVersion, payload);
    }

    /** The same with the value that was in the payload. */
    public Input<IN> openedAs(IN opened) {
        return new Input<>(sequence, timestamp, outputTimestamp, handlerVersion, opened);
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

    /** Of a sealed one null. */
    public IN value() {
        return value;
    }

    /** The payload that the value is in; null if it is not. */
    @Nullable
    public byte[] sealed() {
        return sealed;
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
                && Objects.equals(value, that.value)
                && Arrays.equals(sealed, that.sealed);
    }

    @Override
    public int hashCode() {
        return Objects.hash(sequence, timestamp, value);
    }
}
