package pyflink.durable.state;

import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Writes a {@link Signal} with the version of its format in front, for the reasons given at {@link
 * pyflink.durable.journal.CallSerializer}.
 *
 * <p>Version 1: {@code version, number, name, hasId, id?, hasInvocation, invocation?, expires,
 * length, content}.
 */
public final class SignalSerializer extends TypeSerializerSingleton<Signal> {

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
        int version = in.readByte();
        if (version < 1 || version > VERSION) {
            throw new IOException(
                    String.format(
                            "A signal has format version %d; this pyflink-durable reads up to %d."
                                    + " The state was written by a newer release: use that one, or"
                                    + " newer.",
                            version, VERSION));
        }
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
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public Signal createInstance() {
        return new Signal(0, "", null, null, 0, new byte[0]);
    }

    @Override
    public Signal copy(Signal from) {
        return from;
    }

    @Override
    public Signal copy(Signal from, Signal reuse) {
        return from;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public Signal deserialize(Signal reuse, DataInputView in) throws IOException {
        return deserialize(in);
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
