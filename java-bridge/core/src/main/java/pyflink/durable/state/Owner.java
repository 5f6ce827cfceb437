package pyflink.durable.state;

import java.nio.ByteBuffer;
import java.util.List;
import javax.annotation.Nullable;
import pyflink.durable.journal.Call;
import pyflink.durable.log.LogEntry;

/** Whose entries of the call log these are: a key's, an invocation's, an input's. */
public final class Owner {
    private final int keyGroup;
    private final byte[] key;
    private final String invocationId;
    private final long sequence;
    private final String inputDigest;

    public Owner(int keyGroup, byte[] key, String invocationId, long sequence, String inputDigest) {
        this.keyGroup = keyGroup;
        this.key = key;
        this.invocationId = invocationId;
        this.sequence = sequence;
        this.inputDigest = inputDigest;
    }

    static Owner of(LogEntry entry) {
        return new Owner(
                entry.keyGroup(),
                entry.key(),
                entry.invocationId(),
                entry.sequence(),
                entry.inputDigest());
    }

    byte[] key() {
        return key;
    }

    String invocationId() {
        return invocationId;
    }

    public String inputDigest() {
        return inputDigest;
    }

    public LogEntry entry(int slot, @Nullable Call call) {
        return new LogEntry(keyGroup, key, invocationId, sequence, inputDigest, slot, call);
    }

    List<Object> name() {
        return List.of(ByteBuffer.wrap(key), invocationId);
    }
}
