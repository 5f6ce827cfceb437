package pyflink.durable.value;

import java.util.ArrayList;
import java.util.List;

final class ListConverter extends Converter<List<Object>> {

    private final Converter<Object> item;

    ListConverter(Converter<Object> item) {
        this.item = item;
    }

    @Override
    void writeValue(List<Object> value, PickleWriter out) {
        out.beginList();
        int place = 0;
        for (Object each : value) {
            try {
                item.write(each, out);
            } catch (ValueException e) {
                throw e.in("[" + place + "]");
            }
            place++;
        }
        out.endList();
    }

    @Override
    List<Object> readValue(Object plain) {
        List<?> items = Plain.items(plain);
        List<Object> list = new ArrayList<>(items.size());
        for (Object each : items) {
            list.add(item.read(each));
        }
        return list;
    }

    @Override
    void describe(PickleWriter out) {
        out.text("LIST");
        item.describe(out);
        out.op(Opcode.TUPLE2);
    }
}
