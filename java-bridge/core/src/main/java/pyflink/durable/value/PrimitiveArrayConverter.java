package pyflink.durable.value;

import java.lang.reflect.Array;
import java.util.List;
import java.util.function.IntFunction;

/**
 * Arrays of numbers: lists in Python. No number of them becomes an object of Java on its way to
 * Python.
 */
final class PrimitiveArrayConverter<A> extends Converter<A> {

    private final String item;
    private final IntFunction<A> create;
    private final ItemWriter<A> writer;
    private final ItemSetter<A> setter;

    private interface ItemWriter<A> {
        void write(PickleWriter out, A array, int place);
    }

    private interface ItemSetter<A> {
        void set(A array, int place, Object plain);
    }

    /**
     * @param item the name of the items' type
     */
    private PrimitiveArrayConverter(
            String item, IntFunction<A> create, ItemWriter<A> writer, ItemSetter<A> setter) {
        this.item = item;
        this.create = create;
        this.writer = writer;
        this.setter = setter;
    }

    static Converter<boolean[]> booleans() {
        return new PrimitiveArrayConverter<>(
                "BOOLEAN",
                boolean[]::new,
                (out, array, i) -> out.bool(array[i]),
                (array, i, plain) -> array[i] = (Boolean) plain);
    }

    static Converter<short[]> shorts() {
        return new PrimitiveArrayConverter<>(
                "SHORT",
                short[]::new,
                (out, array, i) -> out.integer(array[i]),
                (array, i, plain) -> array[i] = ((Long) plain).shortValue());
    }

    static Converter<int[]> ints() {
        return new PrimitiveArrayConverter<>(
                "INT",
                int[]::new,
                (out, array, i) -> out.integer(array[i]),
                (array, i, plain) -> array[i] = ((Long) plain).intValue());
    }

    static Converter<long[]> longs() {
        return new PrimitiveArrayConverter<>(
                "LONG",
                long[]::new,
                (out, array, i) -> out.integer(array[i]),
                (array, i, plain) -> array[i] = (Long) plain);
    }

    static Converter<float[]> floats() {
        return new PrimitiveArrayConverter<>(
                "FLOAT",
                float[]::new,
                (out, array, i) -> out.real(array[i]),
                (array, i, plain) -> array[i] = ((Double) plain).floatValue());
    }

    static Converter<double[]> doubles() {
        return new PrimitiveArrayConverter<>(
                "DOUBLE",
                double[]::new,
                (out, array, i) -> out.real(array[i]),
                (array, i, plain) -> array[i] = (Double) plain);
    }

    static Converter<char[]> chars() {
        return new PrimitiveArrayConverter<>(
                "CHAR",
                char[]::new,
                (out, array, i) -> out.text(String.valueOf(array[i])),
                (array, i, plain) -> array[i] = ((String) plain).charAt(0));
    }

    @Override
    void writeValue(A value, PickleWriter out) {
        out.beginList();
        int length = Array.getLength(value);
        for (int i = 0; i < length; i++) {
            writer.write(out, value, i);
        }
        out.endList();
    }

    @Override
    A readValue(Object plain) {
        List<?> items = Plain.items(plain);
        A array = create.apply(items.size());
        for (int i = 0; i < items.size(); i++) {
            setter.set(array, i, items.get(i));
        }
        return array;
    }

    @Override
    void describe(PickleWriter out) {
        out.text("PRIMITIVE_ARRAY");
        out.text(item);
        out.op(Opcode.TUPLE2);
    }
}
