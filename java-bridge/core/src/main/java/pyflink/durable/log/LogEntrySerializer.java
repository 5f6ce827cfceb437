package pyflink.durable.log;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import javax.annotation.Nullable;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.CallSerializer;

/**
 * Writes a {@link LogEntry} with the version of its format in front; the call in it has a version
 * of its own.
 *
 * <p>Version 1: {@code version, keyGroup, key, invocationId, sequence, inputDigest, slot, hasCall,
 * call?}; key and strings (UTF-8) are their length and their bytes.
 */
public final class LogEntrySerializer {

    static final int VERSION = 1;

    private LogEntrySerializer() {}

    public static byte[] toBytes(LogEntry entry) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(256);
        out.writeByte(VERSION);
        out.writeInt(entry.keyGroup());
        writeBytes(entry.key(), out);
        writeString(entry.invocationId(), out);
        out.writeLong(entry.sequence());
        writeString(entry.inputDigest(), out);
        out.writeInt(entry.slot());
        @Nullable Call call = entry.call().orElse(null);
        out.writeBoolean(call != null);
        if (call != null) {
            CallSerializer.INSTANCE.serialize(call, out);
        }
        return out.getCopyOfBuffer();
    }

    public static LogEntry fromBytes(byte[] bytes) throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(bytes);
        requireVersion("An entry of the call log", in.readByte(), VERSION);
        return new LogEntry(
                in.readInt(),
                readBytes(in),
                readString(in),
                in.readLong(),
                readString(in),
                in.readInt(),
                in.readBoolean() ? CallSerializer.INSTANCE.deserialize(in) : null);
    }

    /**
     * Refuses what a newer release has written.
     *
     * @param what names the thing that was read, at the start of the message
     */
    public static void requireVersion(String what, int version, int newest) throws IOException {
        if (version < 1 || version > newest) {
            throw new IOException(
                    String.format(
                            "%s has format version %d; this pyflink-durable reads up to %d. It was"
                                    + " written by a newer release: use that one, or newer.",
                            what, version, newest));
        }
    }

    private static void writeString(String text, DataOutputSerializer out) throws IOException {
        // not writeUTF, which ends at 64 KB: the user chooses invocation ids
        writeBytes(text.getBytes(StandardCharsets.UTF_8), out);
    }

    private static String readString(DataInputDeserializer in) throws IOException {
        return new String(readBytes(in), StandardCharsets.UTF_8);
    }

    private static void writeBytes(byte[] bytes, DataOutputSerializer out) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] readBytes(DataInputDeserializer in) throws IOException {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }
}
