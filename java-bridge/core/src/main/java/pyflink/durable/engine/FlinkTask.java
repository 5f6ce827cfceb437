package pyflink.durable.engine;

import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/** What Flink gives to an {@link InvocationEngine}; an operator has most of it already. */
public interface FlinkTask extends WatermarkHold.Downstream {

    ProcessingTimeService getProcessingTimeService();

    RuntimeContext getRuntimeContext();

    InputNetwork network();

    Object getCurrentKey();

    void setCurrentKey(Object key);

    /** Emits the outputs of an input from one index to another. */
    void emit(@Nullable Long timestamp, Object[] outputs, int from, int to);

    /** Done when an output can be emitted without waiting for the operators behind. */
    CompletableFuture<?> outputAvailable();

    /** The key, in the form that Python reads. Any thread. */
    Object externalKey(Object key);

    boolean hasSideOutput(String tag);
}
