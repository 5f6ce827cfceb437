package pyflink.durable.value;

import java.lang.reflect.Array;
import java.util.List;

/** Arrays of objects: lists in Python. */
final class ArrayConverter extends Converter<Object[]> {

    private final Class<?> component;
    private final Converter<Object> item;

    ArrayConverter(Class<?> component, Converter<Object> item) {
        this.component = component;
        this.item = item;
    }

    @Override
    void writeValue(Object[] value, PickleWriter out) {
        out.beginList();
        for (int i = 0; i < value.length; i++) {
            try {
                item.write(value[i], out);
            } catch (ValueException e) {
                throw e.in("[" + i + "]");
            }
        }
        out.endList();
    }

    @Override
    Object[] readValue(Object plain) {
        List<?> items = Plain.items(plain);
        Object[] array = (Object[]) Array.newInstance(component, items.size());
        for (int i = 0; i < array.length; i++) {
            array[i] = item.read(items.get(i));
        }
        return array;
    }

    @Override
    void describe(PickleWriter out) {
        out.text("OBJECT_ARRAY");
        item.describe(out);
        out.op(Opcode.TUPLE2);
    }
}
