package pyflink.durable.log.kafka;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.LogWriter;

/**
 * The value of a record: an entry, and who appended it when.
 *
 * <p>Version 1: {@code version, uid, writer, epoch, entry}.
 */
final class KafkaRecord {

    static final int VERSION = 1;

    private final LogWriter writer;
    private final long epoch;
    private final LogEntry entry;

    private KafkaRecord(LogWriter writer, long epoch, LogEntry entry) {
        this.writer = writer;
        this.epoch = epoch;
        this.entry = entry;
    }

    /** What stands before the entry in every record of a writer's epoch. */
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
        LogEntrySerializer.requireVersion("A record in the topic " + topic, in.readByte(), VERSION);
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
        return new KafkaRecord(writer, epoch, LogEntrySerializer.fromBytes(entry));
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

    LogEntry entry() {
        return entry;
    }
}
