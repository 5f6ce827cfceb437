package pyflink.durable.value;

import javax.annotation.Nullable;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/** A value for a side output. */
public final class SideOutput<T> {

    private final OutputTag<T> tag;
    private final T value;

    SideOutput(OutputTag<T> tag, T value) {
        this.tag = tag;
        this.value = value;
    }

    /** Emits it, with the timestamp of its input. */
    public void emit(Output<?> output, @Nullable Long timestamp) {
        StreamRecord<T> element =
                timestamp == null
                        ? new StreamRecord<>(value)
                        : new StreamRecord<>(value, timestamp);
        output.collect(tag, element);
    }
}
