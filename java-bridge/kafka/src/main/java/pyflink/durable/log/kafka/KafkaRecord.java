package pyflink.durable.log.kafka;

import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.LogWriter;

/**
 * The value of a record: an entry, and who appended it when; or a fence, see {@link KafkaFences}.
 *
 * <p>Version 2: {@code version, uid, writer, epoch, entry?}. The writer's generation is the offset
 * of its fence in this partition. A record without an entry is a fence. It cannot know its own
 * offset; its generation says {@link #UNKNOWN}.
 *
 * <p>Version 1, of release 0.1: the same, but there are no fences. The generation is greater than
 * those that the writer found in the topic.
 */
final class KafkaRecord {

    static final int VERSION = 2;

    /** The generation that a fence has written down. */
    static final long UNKNOWN = -1;

    private final int version;
    private final LogWriter writer;
    private final long epoch;
    @Nullable private final LogEntry entry;

    private KafkaRecord(int version, LogWriter writer, long epoch, @Nullable LogEntry entry) {
        this.version = version;
        this.writer = writer;
        this.epoch = epoch;
        this.entry = entry;
    }

    /** What stands before the entry in every record of a writer's epoch; alone, it is a fence. */
    static byte[] prefix(String operatorUid, LogWriter writer, long epoch) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(128);
        out.writeByte(VERSION);
        out.writeUTF(operatorUid);
        writer.writeTo(out);
        out.writeLong(epoch);
        return out.getCopyOfBuffer();
    }

    static byte[] value(byte[] prefix, byte[] entry) {
        byte[] value = new byte[prefix.length + entry.length];
        System.arraycopy(prefix, 0, value, 0, prefix.length);
        System.arraycopy(entry, 0, value, prefix.length, entry.length);
        return value;
    }

    static KafkaRecord fromValue(byte[] value, String topic, String operatorUid)
            throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(value);
        int version = in.readByte();
        LogEntrySerializer.requireVersion("A record in the topic " + topic, version, VERSION);
        String owner = in.readUTF();
        if (!owner.equals(operatorUid)) {
            throw new IOException(
                    String.format(
                            "The topic %s belongs to the operator '%s', not to '%s'. Each operator"
                                    + " needs a topic of its own: put {uid} into the setting"
                                    + " 'topic'.",
                            topic, owner, operatorUid));
        }
        LogWriter writer = LogWriter.readFrom(in);
        long epoch = in.readLong();
        byte[] entry = new byte[in.available()];
        in.readFully(entry);
        boolean isFence = version > 1 && entry.length == 0;
        return new KafkaRecord(
                version, writer, epoch, isFence ? null : LogEntrySerializer.fromBytes(entry));
    }

    boolean isFence() {
        return entry == null;
    }

    /** Whether its writer had put a fence first: release 0.1 did not. */
    boolean isFenced() {
        return version > 1;
    }

    LogWriter writer() {
        return writer;
    }

    long generation() {
        return writer.generation();
    }

    long epoch() {
        return epoch;
    }

    /** The entry, if this is no fence. */
    LogEntry entry() {
        if (entry == null) {
            throw new IllegalStateException("A fence has no entry");
        }
        return entry;
    }
}
