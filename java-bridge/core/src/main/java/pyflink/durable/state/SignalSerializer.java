package pyflink.durable.state;

import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import pyflink.durable.journal.RecordSerializer;

/**
 * Writes a {@link Signal}.
 *
 * <p>Version 1: {@code version, number, name, hasId, id?, hasInvocation, invocation?, expires,
 * length, content}.
 */
public final class SignalSerializer extends RecordSerializer<Signal> {

    public static final SignalSerializer INSTANCE = new SignalSerializer();

    static final int VERSION = 1;

    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(Signal signal, DataOutputView out) throws IOException {
        out.writeByte(VERSION);
        out.writeLong(signal.number());
        out.writeUTF(signal.name());
        writeText(signal.id(), out);
        writeText(signal.invocation(), out);
        out.writeLong(signal.expires());
        out.writeInt(signal.content().length);
        out.write(signal.content());
    }

    @Override
    public Signal deserialize(DataInputView in) throws IOException {
        readVersion(in, "A signal", VERSION);
        long number = in.readLong();
        String name = in.readUTF();
        String id = readText(in);
        String invocation = readText(in);
        long expires = in.readLong();
        byte[] content = new byte[in.readInt()];
        in.readFully(content);
        return new Signal(number, name, id, invocation, expires, content);
    }

    private static void writeText(@Nullable String text, DataOutputView out) throws IOException {
        out.writeBoolean(text != null);
        if (text != null) {
            out.writeUTF(text);
        }
    }

    @Nullable
    private static String readText(DataInputView in) throws IOException {
        return in.readBoolean() ? in.readUTF() : null;
    }

    @Override
    public Signal createInstance() {
        return new Signal(0, "", null, null, 0, new byte[0]);
    }

    @Override
    public TypeSerializerSnapshot<Signal> snapshotConfiguration() {
        return new SignalSerializerSnapshot();
    }

    /** Names the serializer in a savepoint; the format's version is in each record. */
    public static final class SignalSerializerSnapshot
            extends SimpleTypeSerializerSnapshot<Signal> {
        public SignalSerializerSnapshot() {
            super(() -> INSTANCE);
        }
    }
}
