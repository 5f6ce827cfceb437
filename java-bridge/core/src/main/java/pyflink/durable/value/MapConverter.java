package pyflink.durable.value;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Maps: a dict in Python. */
final class MapConverter extends Converter<Map<Object, Object>> {

    private final Converter<Object> key;
    private final Converter<Object> item;

    MapConverter(Converter<Object> key, Converter<Object> item) {
        this.key = key;
        this.item = item;
    }

    @Override
    void writeValue(Map<Object, Object> value, PickleWriter out) {
        out.op(Opcode.EMPTY_DICT);
        out.op(Opcode.MARK);
        for (Map.Entry<Object, Object> entry : value.entrySet()) {
            try {
                key.write(entry.getKey(), out);
                item.write(entry.getValue(), out);
            } catch (ValueException e) {
                throw e.in("[" + entry.getKey() + "]");
            }
        }
        out.op(Opcode.SETITEMS);
    }

    /**
     * The keys, and then as many values: the plain form of a key need not be hashable in Python.
     */
    @Override
    Map<Object, Object> readValue(Object plain) {
        Object[] parts = (Object[]) plain;
        List<?> keys = Plain.items(parts[0]);
        List<?> items = Plain.items(parts[1]);
        Map<Object, Object> map = new HashMap<>(2 * keys.size());
        for (int i = 0; i < keys.size(); i++) {
            map.put(key.read(keys.get(i)), item.read(items.get(i)));
        }
        return map;
    }

    @Override
    void describe(PickleWriter out) {
        out.op(Opcode.MARK);
        out.text("MAP");
        key.describe(out);
        item.describe(out);
        out.op(Opcode.TUPLE);
    }
}
