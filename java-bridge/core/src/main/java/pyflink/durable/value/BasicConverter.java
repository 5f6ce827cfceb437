package pyflink.durable.value;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** Numbers, texts and bytes. */
final class BasicConverter<T> extends Converter<T> {

    private final String name;
    private final BiConsumer<PickleWriter, T> write;
    private final Function<Object, T> read;

    /**
     * @param name the type's name in {@code pyflink.common.Types}
     */
    private BasicConverter(
            String name, BiConsumer<PickleWriter, T> write, Function<Object, T> read) {
        this.name = name;
        this.write = write;
        this.read = read;
    }

    static Converter<Boolean> bool() {
        return new BasicConverter<>("BOOLEAN", PickleWriter::bool, Boolean.class::cast);
    }

    static Converter<Byte> byteNumber() {
        return new BasicConverter<>(
                "BYTE", (out, value) -> out.integer(value), plain -> (byte) exactly(plain));
    }

    static Converter<Short> shortNumber() {
        return new BasicConverter<>(
                "SHORT", (out, value) -> out.integer(value), plain -> (short) exactly(plain));
    }

    static Converter<Integer> intNumber() {
        return new BasicConverter<>(
                "INT", (out, value) -> out.integer(value), BasicConverter::exactly);
    }

    static Converter<Long> longNumber() {
        return new BasicConverter<>("LONG", (out, value) -> out.integer(value), Long.class::cast);
    }

    static Converter<Float> floatNumber() {
        return new BasicConverter<>(
                "FLOAT", (out, value) -> out.real(value), plain -> ((Double) plain).floatValue());
    }

    static Converter<Double> doubleNumber() {
        return new BasicConverter<>("DOUBLE", PickleWriter::real, Double.class::cast);
    }

    static Converter<BigInteger> bigInteger() {
        return new BasicConverter<>(
                "BIG_INT",
                PickleWriter::integer,
                plain ->
                        plain instanceof Long
                                ? BigInteger.valueOf((Long) plain)
                                : (BigInteger) plain);
    }

    /** Python's side makes a text of it, in which nothing is rounded. */
    static Converter<BigDecimal> bigDecimal(Prologue prologue) {
        int decimal = prologue.global("decimal", "Decimal");
        return new BasicConverter<>(
                "BIG_DEC",
                (out, value) -> {
                    out.get(decimal);
                    out.text(value.toString());
                    out.op(Opcode.TUPLE1);
                    out.op(Opcode.REDUCE);
                },
                plain -> new BigDecimal((String) plain));
    }

    static Converter<Character> character() {
        return new BasicConverter<>(
                "CHAR",
                (out, value) -> out.text(String.valueOf((char) value)),
                plain -> ((String) plain).charAt(0));
    }

    static Converter<String> string() {
        return new BasicConverter<>("STRING", PickleWriter::text, String.class::cast);
    }

    static Converter<byte[]> bytes() {
        return new BasicConverter<>(
                "PRIMITIVE_ARRAY(BYTE)", PickleWriter::bytes, byte[].class::cast);
    }

    /** Any Python object: the bytes are its own pickle. */
    static Converter<byte[]> pickled(Prologue prologue) {
        int loads = prologue.global("pickle", "loads");
        return new BasicConverter<>(
                "PICKLED_BYTE_ARRAY",
                (out, value) -> {
                    out.get(loads);
                    out.bytes(value);
                    out.op(Opcode.TUPLE1);
                    out.op(Opcode.REDUCE);
                },
                byte[].class::cast);
    }

    private static int exactly(Object plain) {
        return Math.toIntExact((Long) plain);
    }

    @Override
    void writeValue(T value, PickleWriter out) {
        write.accept(out, value);
    }

    @Override
    T readValue(Object plain) {
        return read.apply(plain);
    }

    @Override
    void describe(PickleWriter out) {
        out.text(name);
    }
}
