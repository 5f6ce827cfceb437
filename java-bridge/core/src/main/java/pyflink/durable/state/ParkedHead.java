package pyflink.durable.state;

import java.io.IOException;
import java.util.Objects;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import pyflink.durable.journal.RecordSerializer;

/** What is known of a key whose invocation is parked, without reading input and journal. */
public final class ParkedHead {

    private final long wakesAt;
    private final long nextSequence;
    private final boolean waitsForSignal;

    /**
     * @param wakesAt when it is to go on, in milliseconds since the epoch; {@link Long#MAX_VALUE}
     *     if that is not a matter of time
     * @param nextSequence the number of the key's next input
     * @param waitsForSignal whether a signal may answer it
     */
    public ParkedHead(long wakesAt, long nextSequence, boolean waitsForSignal) {
        this.wakesAt = wakesAt;
        this.nextSequence = nextSequence;
        this.waitsForSignal = waitsForSignal;
    }

    public long wakesAt() {
        return wakesAt;
    }

    public long nextSequence() {
        return nextSequence;
    }

    public boolean waitsForSignal() {
        return waitsForSignal;
    }

    public ParkedHead wakingAt(long time) {
        return new ParkedHead(time, nextSequence, waitsForSignal);
    }

    public ParkedHead withNextSequence(long next) {
        return new ParkedHead(wakesAt, next, waitsForSignal);
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof ParkedHead)) {
            return false;
        }
        ParkedHead that = (ParkedHead) other;
        return wakesAt == that.wakesAt
                && nextSequence == that.nextSequence
                && waitsForSignal == that.waitsForSignal;
    }

    @Override
    public int hashCode() {
        return Objects.hash(wakesAt, nextSequence, waitsForSignal);
    }

    /** Version 1: {@code version, wakesAt, nextSequence, waitsForSignal}. */
    public static final class Serializer extends RecordSerializer<ParkedHead> {

        static final Serializer INSTANCE = new Serializer();

        static final int VERSION = 1;

        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(ParkedHead head, DataOutputView out) throws IOException {
            out.writeByte(VERSION);
            out.writeLong(head.wakesAt);
            out.writeLong(head.nextSequence);
            out.writeBoolean(head.waitsForSignal);
        }

        @Override
        public ParkedHead deserialize(DataInputView in) throws IOException {
            readVersion(in, "A parked invocation", VERSION);
            return new ParkedHead(in.readLong(), in.readLong(), in.readBoolean());
        }

        @Override
        public ParkedHead createInstance() {
            return new ParkedHead(0, 0, false);
        }

        @Override
        public TypeSerializerSnapshot<ParkedHead> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Names the serializer in a savepoint; the format's version is in each record. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ParkedHead> {
        public Snapshot() {
            super(() -> Serializer.INSTANCE);
        }
    }
}
