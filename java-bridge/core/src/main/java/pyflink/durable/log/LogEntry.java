package pyflink.durable.log;

import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import javax.annotation.Nullable;
import pyflink.durable.journal.Call;

/**
 * What a slot holds after a write, and whose slot it is. It belongs to a key, an invocation and an
 * input, not to a place in the stream: after a failure the inputs of different keys may come back
 * in another order. Immutable; the bytes are not copied.
 */
public final class LogEntry {

    private final int keyGroup;
    private final byte[] key;
    private final String invocationId;
    private final long sequence;
    private final String inputDigest;
    private final int slot;
    @Nullable private final Call call;

    /**
     * @param key the key, as the key serializer writes it
     * @param sequence the input's number among all of its key
     * @param call what the slot holds, or null if this slot and all after it were dropped
     */
    public LogEntry(
            int keyGroup,
            byte[] key,
            String invocationId,
            long sequence,
            String inputDigest,
            int slot,
            @Nullable Call call) {
        this.keyGroup = keyGroup;
        this.key = Objects.requireNonNull(key, "key");
        this.invocationId = Objects.requireNonNull(invocationId, "invocationId");
        this.sequence = sequence;
        this.inputDigest = Objects.requireNonNull(inputDigest, "inputDigest");
        this.slot = slot;
        this.call = call;
    }

    public int keyGroup() {
        return keyGroup;
    }

    public byte[] key() {
        return key;
    }

    public String invocationId() {
        return invocationId;
    }

    public long sequence() {
        return sequence;
    }

    public String inputDigest() {
        return inputDigest;
    }

    public int slot() {
        return slot;
    }

    /** What the slot holds; empty if this slot and all after it were dropped. */
    public Optional<Call> call() {
        return Optional.ofNullable(call);
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof LogEntry)) {
            return false;
        }
        LogEntry that = (LogEntry) other;
        return keyGroup == that.keyGroup
                && Arrays.equals(key, that.key)
                && invocationId.equals(that.invocationId)
                && sequence == that.sequence
                && inputDigest.equals(that.inputDigest)
                && slot == that.slot
                && Objects.equals(call, that.call);
    }

    @Override
    public int hashCode() {
        return Objects.hash(keyGroup, invocationId, sequence, slot, call);
    }

    /** Without the key and the payloads, which may be personal or secret. */
    @Override
    public String toString() {
        return String.format(
                "slot %d of invocation %s in key group %d: %s",
                slot, invocationId, keyGroup, call == null ? "dropped" : call);
    }
}
