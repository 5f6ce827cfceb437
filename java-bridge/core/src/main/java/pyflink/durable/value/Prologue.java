package pyflink.durable.value;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * The classes and functions of Python that the values of a type are made with: a pickle names them
 * once, at its beginning, and each value refers to them by number.
 */
final class Prologue {

    private static final String ROWS = "pyflink_durable.runtime.values.incoming";

    private final List<Consumer<PickleWriter>> entries = new ArrayList<>();

    /** A class or function. */
    int global(String module, String name) {
        return add(out -> out.global(module, name));
    }

    /** A function that makes rows with these names of fields. */
    int rowType(List<String> names) {
        int rowType = global(ROWS, "row_type");
        return add(
                out -> {
                    out.get(rowType);
                    out.texts(names);
                    out.op(Opcode.TUPLE1);
                    out.op(Opcode.REDUCE);
                });
    }

    private int add(Consumer<PickleWriter> entry) {
        entries.add(entry);
        return entries.size() - 1;
    }

    byte[] toBytes() {
        PickleWriter out = new PickleWriter();
        for (int place = 0; place < entries.size(); place++) {
            entries.get(place).accept(out);
            out.put(place);
        }
        return out.take();
    }
}
