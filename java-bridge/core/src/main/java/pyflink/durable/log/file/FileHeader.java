package pyflink.durable.log.file;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.state.KeyGroupRange;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.LogWriter;

/**
 * The first frame of each file of the log: whose it is.
 *
 * <p>Version 1: {@code version, uid, writer, first key group, last key group, epoch}.
 */
final class FileHeader {

    static final int VERSION = 1;

    private final String operatorUid;
    private final LogWriter writer;
    private final KeyGroupRange keyGroups;
    private final long epoch;

    FileHeader(String operatorUid, LogWriter writer, KeyGroupRange keyGroups, long epoch) {
        this.operatorUid = operatorUid;
        this.writer = writer;
        this.keyGroups = keyGroups;
        this.epoch = epoch;
    }

    byte[] toBytes() throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(128);
        out.writeByte(VERSION);
        out.writeUTF(operatorUid);
        writer.writeTo(out);
        out.writeInt(keyGroups.getStartKeyGroup());
        out.writeInt(keyGroups.getEndKeyGroup());
        out.writeLong(epoch);
        return out.getCopyOfBuffer();
    }

    static FileHeader fromBytes(LogFile file, byte[] bytes) throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(bytes);
        LogEntrySerializer.requireVersion("The file " + file, in.readByte(), VERSION);
        return new FileHeader(
                in.readUTF(),
                LogWriter.readFrom(in),
                new KeyGroupRange(in.readInt(), in.readInt()),
                in.readLong());
    }

    LogWriter writer() {
        return writer;
    }

    long epoch() {
        return epoch;
    }

    boolean overlaps(KeyGroupRange range) {
        return keyGroups.getIntersection(range).getNumberOfKeyGroups() > 0;
    }

    /** Two operators in one directory would read each other's entries as their own. */
    void requireOperator(String uid, LogFile file) throws IOException {
        if (!operatorUid.equals(uid)) {
            throw new IOException(
                    String.format(
                            "The file %s belongs to the operator '%s', not to '%s': it was moved or"
                                    + " copied. Move it out of this directory.",
                            file, operatorUid, uid));
        }
    }
}
