package pyflink.durable.value;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.util.OutputTag;

/** Reads the outputs of a step from Python, those of the side outputs among them. */
public final class OutputValues<T> {

    private final ValueType<T> main;
    private final List<OutputTag<Object>> tags = new ArrayList<>();
    private final List<ValueType<Object>> sides = new ArrayList<>();

    /**
     * @param type of the main output
     */
    @SuppressWarnings("unchecked")
    public OutputValues(TypeInformation<T> type, Collection<OutputTag<?>> sideOutputs) {
        main = ValueType.of(type);
        for (OutputTag<?> tag : sideOutputs) {
            tags.add((OutputTag<Object>) tag);
            sides.add(ValueType.of((TypeInformation<Object>) tag.getTypeInfo()));
        }
    }

    /**
     * What Python needs to know to bring values into the form that is read here: a pickle of the
     * main output's type, the names of the side outputs, and the types of these.
     */
    public byte[] describe() {
        PickleWriter out = new PickleWriter();
        out.begin(new byte[0]);
        main.converter().describe(out);
        out.beginList();
        tags.forEach(tag -> out.text(tag.getId()));
        out.endList();
        out.beginList();
        sides.forEach(side -> side.converter().describe(out));
        out.endList();
        out.op(Opcode.TUPLE3);
        out.op(Opcode.STOP);
        return out.take();
    }

    /**
     * Reads outputs.
     *
     * @param pickles of pairs: plain values, and for each the number of its side output, or None;
     *     None in place of the numbers if all are of the main output
     * @return values of the main output, and {@link SideOutput}s
     */
    public Object[] read(Object[] pickles) {
        List<Object> outputs = new ArrayList<>();
        for (Object pickle : pickles) {
            Object[] pair = (Object[]) PickleReader.read((byte[]) pickle);
            readInto(outputs, Plain.items(pair[0]), pair[1] == null ? null : Plain.items(pair[1]));
        }
        return outputs.toArray();
    }

    private void readInto(List<Object> outputs, List<?> values, @Nullable List<?> numbers) {
        for (int i = 0; i < values.size(); i++) {
            Object number = numbers == null ? null : numbers.get(i);
            outputs.add(
                    number == null
                            ? main.converter().read(values.get(i))
                            : side(((Long) number).intValue(), values.get(i)));
        }
    }

    private SideOutput<Object> side(int number, Object plain) {
        return new SideOutput<>(tags.get(number), sides.get(number).converter().read(plain));
    }
}
