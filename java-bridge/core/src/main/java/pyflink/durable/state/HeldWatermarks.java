package pyflink.durable.state;

import org.apache.flink.runtime.state.KeyedStateBackend;

/**
 * The limits of parked inputs that hold watermarks back, in order, in the state backend: a million
 * of them take no memory. An entry is there from when an input is parked to the end of its
 * invocation.
 */
public final class HeldWatermarks<K> {

    static final String NAME = "durable-parked-limits";

    private final Deadlines<K> limits;

    public HeldWatermarks(KeyedStateBackend<K> backend) {
        limits = new Deadlines<>(backend, NAME);
    }

    /** The outputs of an input of the selected key must not come behind a watermark. */
    public void add(Input<?> input) {
        limits.add(limitOf(input), input.sequence());
    }

    /** An input of the selected key has ended. */
    public void remove(Input<?> input) {
        limits.remove(limitOf(input), input.sequence());
    }

    private static long limitOf(Input<?> input) {
        return input.outputTimestamp() - 1;
    }

    /** The highest watermark that may pass; {@link Long#MAX_VALUE} if any may. */
    public long lowest() {
        return limits.earliest();
    }

    /** Takes all away: a job that holds none for what is parked would never remove them. */
    public void clear() throws Exception {
        while (limits.takeDue(Long.MAX_VALUE) != null) {
            // each selects its key
        }
    }
}
