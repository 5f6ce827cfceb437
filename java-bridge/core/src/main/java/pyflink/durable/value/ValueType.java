package pyflink.durable.value;

import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/** A type whose values cross between Java and Python. */
public final class ValueType<T> {

    private final Converter<T> converter;
    private final byte[] prologue;

    private ValueType(Converter<T> converter, byte[] prologue) {
        this.converter = converter;
        this.prologue = prologue;
    }

    /**
     * @throws UnsupportedOperationException for a type, or a part of one, that PyFlink has no
     *     counterpart of
     */
    @SuppressWarnings("unchecked")
    public static <T> ValueType<T> of(TypeInformation<T> type) {
        Prologue prologue = new Prologue();
        Converter<T> converter = (Converter<T>) Converters.of(type, prologue);
        return new ValueType<>(converter, prologue.toBytes());
    }

    /** The pickle of one value. From any thread. */
    public byte[] pickle(@Nullable T value) {
        PickleWriter writer = new PickleWriter();
        writer.begin(prologue);
        converter.write(value, writer);
        writer.op(Opcode.STOP);
        return writer.take();
    }

    Converter<T> converter() {
        return converter;
    }

    byte[] prologue() {
        return prologue;
    }
}
