package pyflink.durable.value;

import java.util.List;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

final class RowConverter extends Converter<Row> {

    private final List<String> names;
    private final List<Converter<Object>> fields;
    private final int rowType;

    /**
     * @param rowType the function in the prologue that makes such rows
     */
    RowConverter(List<String> names, List<Converter<Object>> fields, int rowType) {
        this.names = names;
        this.fields = fields;
        this.rowType = rowType;
    }

    @Override
    void writeValue(Row value, PickleWriter out) {
        out.get(rowType);
        out.beginList();
        for (int i = 0; i < fields.size(); i++) {
            try {
                fields.get(i).write(value.getField(i), out);
            } catch (ValueException e) {
                throw e.in(names.get(i));
            }
        }
        out.endList();
        if (value.getKind() == RowKind.INSERT) {
            out.op(Opcode.TUPLE1);
        } else {
            out.integer(value.getKind().toByteValue());
            out.op(Opcode.TUPLE2);
        }
        out.op(Opcode.REDUCE);
    }

    /** A list of the fields; of a row that is no insert, a tuple of its kind and that list. */
    @Override
    Row readValue(Object plain) {
        if (plain instanceof List) {
            return read(RowKind.INSERT, (List<?>) plain);
        }
        Object[] kindAndFields = (Object[]) plain;
        RowKind kind = RowKind.fromByteValue(((Long) kindAndFields[0]).byteValue());
        return read(kind, (List<?>) kindAndFields[1]);
    }

    private Row read(RowKind kind, List<?> values) {
        Row row = new Row(kind, fields.size());
        for (int i = 0; i < fields.size(); i++) {
            row.setField(i, fields.get(i).read(values.get(i)));
        }
        return row;
    }

    @Override
    void describe(PickleWriter out) {
        out.op(Opcode.MARK);
        out.text("ROW");
        out.texts(names);
        fields.forEach(field -> field.describe(out));
        out.op(Opcode.TUPLE);
    }
}
