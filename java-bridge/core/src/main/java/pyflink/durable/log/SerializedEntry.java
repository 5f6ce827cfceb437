package pyflink.durable.log;

/** A {@link LogEntry} as bytes, on its way to the {@link LogStorage}. */
public class SerializedEntry {

    private final int keyGroup;
    private final byte[] bytes;

    SerializedEntry(int keyGroup, byte[] bytes) {
        this.keyGroup = keyGroup;
        this.bytes = bytes;
    }

    public final int keyGroup() {
        return keyGroup;
    }

    public final byte[] bytes() {
        return bytes;
    }
}
