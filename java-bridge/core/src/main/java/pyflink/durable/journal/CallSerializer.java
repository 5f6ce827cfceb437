package pyflink.durable.journal;

import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Writes a {@link Call}.
 *
 * <p>Version 4: {@code version, kind, status, functionId, argsDigest, completion, attempt, time,
 * flags, invocationBegan?, result?, exception?}; the time is that at which a pending call is due,
 * or at which another one ended; the flags say whether it is told when the invocation began (1),
 * and whether the call is repeatable (2); a payload is its length (-1 for none) and its bytes.
 * Version 3 had no kind, which is read from the function. Version 2 had no times but the due one
 * and no flags: its calls are read as not repeatable. Version 1 had no attempt and no due either:
 * its calls are read as first attempts that are not scheduled.
 */
public final class CallSerializer extends RecordSerializer<Call> {

    public static final CallSerializer INSTANCE = new CallSerializer();

    static final int VERSION = 4;

    private static final long serialVersionUID = 1L;

    private static final int HAS_BEGAN = 1;
    private static final int REPEATABLE = 2;

    private static final SlotKind[] KINDS = SlotKind.values();
    private static final CallStatus[] STATUSES = CallStatus.values();

    @Override
    public void serialize(Call call, DataOutputView out) throws IOException {
        out.writeByte(VERSION);
        out.writeByte(call.kind().ordinal());
        out.writeByte(call.status().ordinal());
        out.writeUTF(call.functionId());
        out.writeUTF(call.argsDigest());
        out.writeInt(call.completion());
        out.writeInt(call.attempt());
        out.writeLong(call.status().isTerminal() ? call.endedAt() : call.due());
        boolean hasBegan = call.invocationBegan() != Call.NO_TIME;
        out.writeByte((hasBegan ? HAS_BEGAN : 0) | (call.repeatable() ? REPEATABLE : 0));
        if (hasBegan) {
            out.writeLong(call.invocationBegan());
        }
        writePayload(call.result(), out);
        writePayload(call.exception(), out);
    }

    @Override
    public Call deserialize(DataInputView in) throws IOException {
        int version = readVersion(in, "A journaled call", VERSION);
        SlotKind told = version >= 4 ? readKind(in) : SlotKind.CALL;
        CallStatus status = STATUSES[in.readByte()];
        String functionId = in.readUTF();
        String argsDigest = in.readUTF();
        SlotKind kind = version >= 4 ? told : SlotKind.ofFunction(functionId, argsDigest);
        boolean isOld = kind != told; // its function stood for its kind
        int completion = in.readInt();
        int attempt = version == 1 ? Call.FIRST_ATTEMPT : in.readInt();
        long time = version == 1 ? Call.NOT_SCHEDULED : in.readLong();
        int flags = version >= 3 ? in.readByte() : 0;
        long began = (flags & HAS_BEGAN) != 0 ? in.readLong() : Call.NO_TIME;
        return new Call(
                kind,
                isOld ? "" : functionId,
                isOld ? "" : argsDigest,
                status,
                readPayload(in),
                readPayload(in),
                completion,
                attempt,
                status.isTerminal() ? Call.NOT_SCHEDULED : time,
                status.isTerminal() && version >= 3 ? time : Call.NO_TIME,
                began,
                (flags & REPEATABLE) != 0);
    }

    private static SlotKind readKind(DataInputView in) throws IOException {
        int kind = in.readUnsignedByte();
        if (kind >= KINDS.length) {
            throw new IOException(
                    "A slot is of kind "
                            + kind
                            + ", which this pyflink-durable does not know. The state was written by"
                            + " a newer release: use that one, or newer.");
        }
        return KINDS[kind];
    }

    private static void writePayload(@Nullable byte[] payload, DataOutputView out)
            throws IOException {
        out.writeInt(payload == null ? -1 : payload.length);
        if (payload != null) {
            out.write(payload);
        }
    }

    @Nullable
    private static byte[] readPayload(DataInputView in) throws IOException {
        int length = in.readInt();
        if (length < 0) {
            return null;
        }
        byte[] payload = new byte[length];
        in.readFully(payload);
        return payload;
    }

    @Override
    public Call createInstance() {
        return Call.pending("", "", Call.FIRST_ATTEMPT);
    }

    @Override
    public TypeSerializerSnapshot<Call> snapshotConfiguration() {
        return new CallSerializerSnapshot();
    }

    /** Names the serializer in a savepoint; the format's version is in each record. */
    public static final class CallSerializerSnapshot extends SimpleTypeSerializerSnapshot<Call> {
        public CallSerializerSnapshot() {
            super(() -> INSTANCE);
        }
    }
}
