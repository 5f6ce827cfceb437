package pyflink.durable.state;

import org.apache.flink.api.common.typeutils.TypeSerializer;

/** How inputs stand in the state. */
public final class InputForm<IN> {

    final TypeSerializer<Input<IN>> serializer;
    final InputSeals<IN> seals;

    public InputForm(TypeSerializer<Input<IN>> serializer, InputSeals<IN> seals) {
        this.serializer = serializer;
        this.seals = seals;
    }
}
