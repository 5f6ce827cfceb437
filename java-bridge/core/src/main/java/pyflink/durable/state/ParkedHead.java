package pyflink.durable.state;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import pyflink.durable.journal.RecordSerializer;

/** What is known of a key whose invocation is parked, without reading input and journal. */
public final class ParkedHead {

    private final long wakesAt;
    private final long since;
    private final long nextSequence;
    private final int waiting;
    private final List<String> signals;

    /**
     * @param wakesAt when it is to go on, in milliseconds since the epoch
     * @param since when it was parked
     * @param nextSequence the number of the key's next input
     * @param waiting how many inputs of the key wait behind it
     * @param signals the names of the signals that may answer it
     */
    public ParkedHead(
            long wakesAt, long since, long nextSequence, int waiting, List<String> signals) {
        this.wakesAt = wakesAt;
        this.since = since;
        this.nextSequence = nextSequence;
        this.waiting = waiting;
        this.signals = List.copyOf(signals);
    }

    public long wakesAt() {
        return wakesAt;
    }

    public long since() {
        return since;
    }

    public long nextSequence() {
        return nextSequence;
    }

    public int waiting() {
        return waiting;
    }

    /** Whether a signal of a name may answer it. */
    public boolean waitsFor(String signal) {
        return signals.contains(signal);
    }

    public ParkedHead wakingAt(long time) {
        return new ParkedHead(time, since, nextSequence, waiting, signals);
    }

    /** The same with another input behind it. */
    public ParkedHead withAnotherInput() {
        return new ParkedHead(wakesAt, since, nextSequence + 1, waiting + 1, signals);
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof ParkedHead)) {
            return false;
        }
        ParkedHead that = (ParkedHead) other;
        return wakesAt == that.wakesAt
                && since == that.since
                && nextSequence == that.nextSequence
                && waiting == that.waiting
                && signals.equals(that.signals);
    }

    @Override
    public int hashCode() {
        return Objects.hash(wakesAt, since, nextSequence, waiting, signals);
    }

    /**
     * Version 1: {@code version, wakesAt, since, nextSequence, waiting, number of signals, their
     * names}.
     */
    public static final class Serializer extends RecordSerializer<ParkedHead> {

        static final Serializer INSTANCE = new Serializer();

        static final int VERSION = 1;

        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(ParkedHead head, DataOutputView out) throws IOException {
            out.writeByte(VERSION);
            out.writeLong(head.wakesAt);
            out.writeLong(head.since);
            out.writeLong(head.nextSequence);
            out.writeInt(head.waiting);
            out.writeInt(head.signals.size());
            for (String signal : head.signals) {
                out.writeUTF(signal);
            }
        }

        @Override
        public ParkedHead deserialize(DataInputView in) throws IOException {
            readVersion(in, "A parked invocation", VERSION);
            long wakesAt = in.readLong();
            long since = in.readLong();
            long nextSequence = in.readLong();
            int waiting = in.readInt();
            List<String> signals = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                signals.add(in.readUTF());
            }
            return new ParkedHead(wakesAt, since, nextSequence, waiting, signals);
        }

        @Override
        public ParkedHead createInstance() {
            return new ParkedHead(0, 0, 0, 0, List.of());
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
