package pyflink.durable.operator;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.io.network.partition.consumer.IndexedInputGate;
import org.apache.flink.streaming.runtime.tasks.StreamTask;
import pyflink.durable.engine.InputNetwork;

/** The network in front of a task of Flink's. */
final class TaskNetwork implements InputNetwork {

    // Flink's classes of options change their names between versions; the options' own names stay
    private static final ConfigOption<MemorySize> BUFFER_SIZE =
            ConfigOptions.key("taskmanager.memory.segment-size")
                    .memoryType()
                    .defaultValue(MemorySize.parse("32kb"));
    private static final ConfigOption<Integer> AT_RECEIVER =
            ConfigOptions.key("taskmanager.network.memory.buffers-per-channel")
                    .intType()
                    .defaultValue(2);
    private static final ConfigOption<Integer> FLOATING =
            ConfigOptions.key("taskmanager.network.memory.floating-buffers-per-gate")
                    .intType()
                    .defaultValue(8);
    private static final ConfigOption<Integer> AT_SENDER =
            ConfigOptions.key("taskmanager.network.memory.max-buffers-per-channel")
                    .intType()
                    .defaultValue(10);

    private final StreamTask<?, ?> task;
    private final long capacity;

    TaskNetwork(StreamTask<?, ?> task) {
        this.task = task;
        this.capacity = capacityOf(task.getEnvironment());
    }

    private static long capacityOf(Environment environment) {
        ReadableConfig config = environment.getTaskManagerInfo().getConfiguration();
        long buffers = 0;
        for (IndexedInputGate gate : environment.getAllInputGates()) {
            long perChannel = config.get(AT_RECEIVER) + config.get(AT_SENDER);
            buffers += gate.getNumberOfInputChannels() * perChannel + config.get(FLOATING);
        }
        return buffers * config.get(BUFFER_SIZE).getBytes();
    }

    @Override
    public boolean isRecovering() {
        return !task.isRunning();
    }

    @Override
    public long bytesRead() {
        return task.getEnvironment()
                .getMetricGroup()
                .getIOMetricGroup()
                .getNumBytesInCounter()
                .getCount();
    }

    @Override
    public long capacity() {
        return capacity;
    }
}
