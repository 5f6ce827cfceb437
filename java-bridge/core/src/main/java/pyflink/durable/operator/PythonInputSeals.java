package pyflink.durable.operator;

import java.io.IOException;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.types.Row;
import pyflink.durable.state.Input;
import pyflink.durable.state.InputSeals;

/**
 * Has Python make payloads of the inputs that go into the state, where the operator's options ask
 * for it: encrypted, compressed, JSON in place of a pickle.
 *
 * <p>A pickled value goes there as it is, any other as Flink's serializer writes it, since Python
 * has no form of its own for that which is sure to come back as the same type.
 */
final class PythonInputSeals<IN> implements InputSeals<IN> {

    private static final int FIRST_BYTES = 256;

    private final PythonHost<IN> python;
    private final TypeSerializer<IN> serializer;
    private final boolean pickled;
    private final Supplier<Object> selectedKey;
    private final DataOutputSerializer written = new DataOutputSerializer(FIRST_BYTES);

    /** Null until the first input goes into the state. */
    @Nullable private Boolean seals;

    /**
     * @param serializer that of the stream: of rows of key and value
     * @param valueType that of the value
     * @param selectedKey gives the key that is selected in the state
     */
    PythonInputSeals(
            PythonHost<IN> python,
            TypeSerializer<IN> serializer,
            TypeInformation<?> valueType,
            Supplier<Object> selectedKey) {
        this.python = python;
        this.serializer = serializer;
        this.pickled = valueType instanceof PickledByteArrayTypeInfo;
        this.selectedKey = selectedKey;
    }

    @Override
    public Input<IN> seal(Input<IN> input) throws IOException {
        if (seals == null) {
            seals = python.sealsInputs(pickled);
        }
        byte[] data = seals ? bytesOf(input.value()) : null;
        if (data == null) {
            return input;
        }
        return input.sealedAs(python.sealInput(key(), input, data, pickled));
    }

    @Nullable
    private byte[] bytesOf(IN value) throws IOException {
        if (pickled) {
            return (byte[]) ((Row) value).getField(1);
        }
        written.clear();
        serializer.serialize(value, written);
        return written.getCopyOfBuffer();
    }

    @Override
    public Input<IN> open(Input<IN> stored) throws IOException {
        if (stored.sealed() == null) {
            return stored;
        }
        byte[] data = python.openInput(key(), stored, pickled);
        return stored.openedAs(valueOf(data));
    }

    @SuppressWarnings("unchecked")
    private IN valueOf(byte[] data) throws IOException {
        return pickled
                ? (IN) Row.of(key().getField(0), data)
                : serializer.deserialize(new DataInputDeserializer(data));
    }

    private Row key() {
        return (Row) selectedKey.get();
    }
}
