package pyflink.durable.value;

import java.util.List;
import org.apache.flink.api.java.tuple.Tuple;

final class TupleConverter extends Converter<Tuple> {

    private final List<Converter<Object>> fields;

    TupleConverter(List<Converter<Object>> fields) {
        this.fields = fields;
    }

    @Override
    void writeValue(Tuple value, PickleWriter out) {
        out.op(Opcode.MARK);
        for (int i = 0; i < fields.size(); i++) {
            try {
                fields.get(i).write(value.getField(i), out);
            } catch (ValueException e) {
                throw e.in("[" + i + "]");
            }
        }
        out.op(Opcode.TUPLE);
    }

    @Override
    Tuple readValue(Object plain) {
        List<?> values = Plain.items(plain);
        Tuple tuple = Tuple.newInstance(fields.size());
        for (int i = 0; i < fields.size(); i++) {
            tuple.setField(fields.get(i).read(values.get(i)), i);
        }
        return tuple;
    }

    @Override
    void describe(PickleWriter out) {
        out.op(Opcode.MARK);
        out.text("TUPLE");
        fields.forEach(field -> field.describe(out));
        out.op(Opcode.TUPLE);
    }
}
