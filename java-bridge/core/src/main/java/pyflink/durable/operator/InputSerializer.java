package pyflink.durable.operator;

import java.io.IOException;
import java.util.Objects;
import org.apache.flink.api.common.typeutils.CompositeTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import pyflink.durable.journal.RecordSerializer;
import pyflink.durable.state.Input;

/**
 * Writes an {@link Input} with the version of its format in front, for the reasons given at {@link
 * pyflink.durable.journal.CallSerializer}.
 *
 * <p>Version 1: {@code version, sequence, hasTimestamp, timestamp?, value}. The value is written by
 * the stream's own serializer, whose evolution Flink looks after. Version 2, of an input whose
 * outputs have another timestamp: {@code version, sequence, timestamp, outputTimestamp, value}.
 * Version 3, of one with more to it: {@code version, sequence, flags, timestamp?, outputTimestamp?,
 * handlerVersion?, value}; the flags say what is there: a timestamp (1), another one for the
 * outputs (2), the version of the handler that accepted it (4), and that the value is a payload
 * (8), which is its length and its bytes.
 *
 * <p>It is here, and not beside {@link Input}, as the name of its snapshot's class stands in every
 * savepoint; the state is given it by the operator.
 */
public final class InputSerializer<IN> extends TypeSerializer<Input<IN>> {

    static final int VERSION = 3;

    /** Of the form in which the value's serializer is kept. */
    private static final int SNAPSHOT_VERSION = 1;

    private static final int HAS_TIMESTAMP = 1;
    private static final int HAS_OUTPUT_TIMESTAMP = 2;
    private static final int HAS_HANDLER_VERSION = 4;
    private static final int IS_SEALED = 8;

    private static final long serialVersionUID = 1L;

    private final TypeSerializer<IN> valueSerializer;

    InputSerializer(TypeSerializer<IN> valueSerializer) {
        this.valueSerializer = valueSerializer;
    }

    @Override
    public void serialize(Input<IN> input, DataOutputView out) throws IOException {
        int flags = flagsOf(input);
        if (flags <= HAS_TIMESTAMP) {
            out.writeByte(1);
            out.writeLong(input.sequence());
            out.writeBoolean(flags == HAS_TIMESTAMP);
        } else if (flags == (HAS_TIMESTAMP | HAS_OUTPUT_TIMESTAMP)) {
            out.writeByte(2);
            out.writeLong(input.sequence());
        } else {
            out.writeByte(3);
            out.writeLong(input.sequence());
            out.writeByte(flags);
        }
        if ((flags & HAS_TIMESTAMP) != 0) {
            out.writeLong(input.timestamp());
        }
        if ((flags & HAS_OUTPUT_TIMESTAMP) != 0) {
            out.writeLong(input.outputTimestamp());
        }
        if ((flags & HAS_HANDLER_VERSION) != 0) {
            out.writeUTF(input.handlerVersion());
        }
        if (input.sealed() != null) {
            out.writeInt(input.sealed().length);
            out.write(input.sealed());
        } else {
            valueSerializer.serialize(input.value(), out);
        }
    }

    private static int flagsOf(Input<?> input) {
        boolean moved = !Objects.equals(input.timestamp(), input.outputTimestamp());
        return (input.timestamp() == null ? 0 : HAS_TIMESTAMP)
                | (moved ? HAS_OUTPUT_TIMESTAMP : 0)
                | (input.handlerVersion() == null ? 0 : HAS_HANDLER_VERSION)
                | (input.sealed() == null ? 0 : IS_SEALED);
    }

    @Override
    public Input<IN> deserialize(DataInputView in) throws IOException {
        int version = RecordSerializer.readVersion(in, "An input in flight", VERSION);
        long sequence = in.readLong();
        int flags =
                version == 2
                        ? HAS_TIMESTAMP | HAS_OUTPUT_TIMESTAMP
                        : in.readByte(); // of version 1 whether there is a timestamp
        Long timestamp = (flags & HAS_TIMESTAMP) != 0 ? (Long) in.readLong() : null;
        Long outputTimestamp =
                (flags & HAS_OUTPUT_TIMESTAMP) != 0 ? (Long) in.readLong() : timestamp;
        String handlerVersion = (flags & HAS_HANDLER_VERSION) != 0 ? in.readUTF() : null;
        if ((flags & IS_SEALED) != 0) {
            byte[] payload = new byte[in.readInt()];
            in.readFully(payload);
            return Input.sealed(sequence, timestamp, outputTimestamp, handlerVersion, payload);
        }
        IN value = valueSerializer.deserialize(in);
        return new Input<>(sequence, timestamp, outputTimestamp, handlerVersion, value);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public Input<IN> copy(Input<IN> from) {
        if (from.sealed() != null) {
            return from; // nobody changes a payload
        }
        return new Input<>(
                from.sequence(),
                from.timestamp(),
                from.outputTimestamp(),
                from.handlerVersion(),
                valueSerializer.copy(from.value()));
    }

    @Override
    public Input<IN> copy(Input<IN> from, Input<IN> reuse) {
        return copy(from);
    }

    @Override
    public Input<IN> deserialize(Input<IN> reuse, DataInputView in) throws IOException {
        return deserialize(in);
    }

    @Override
    public boolean isImmutableType() {
        return false;
    }

    @Override
    public TypeSerializer<Input<IN>> duplicate() {
        TypeSerializer<IN> duplicate = valueSerializer.duplicate();
        return duplicate == valueSerializer ? this : new InputSerializer<>(duplicate);
    }

    @Override
    public Input<IN> createInstance() {
        return new Input<>(0, null, valueSerializer.createInstance());
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof InputSerializer
                && valueSerializer.equals(((InputSerializer<?>) other).valueSerializer);
    }

    @Override
    public int hashCode() {
        return valueSerializer.hashCode();
    }

    @Override
    public TypeSerializerSnapshot<Input<IN>> snapshotConfiguration() {
        return new InputSerializerSnapshot<>(this);
    }

    /** Keeps the snapshot of the value's serializer. */
    public static final class InputSerializerSnapshot<IN>
            extends CompositeTypeSerializerSnapshot<Input<IN>, InputSerializer<IN>> {

        /** For Flink, when it reads a savepoint. */
        public InputSerializerSnapshot() {}

        InputSerializerSnapshot(InputSerializer<IN> serializer) {
            super(serializer);
        }

        @Override
        protected int getCurrentOuterSnapshotVersion() {
            return SNAPSHOT_VERSION;
        }

        @Override
        protected TypeSerializer<?>[] getNestedSerializers(InputSerializer<IN> serializer) {
            return new TypeSerializer<?>[] {serializer.valueSerializer};
        }

        @Override
        @SuppressWarnings("unchecked")
        protected InputSerializer<IN> createOuterSerializerWithNestedSerializers(
                TypeSerializer<?>[] nested) {
            return new InputSerializer<>((TypeSerializer<IN>) nested[0]);
        }
    }
}
