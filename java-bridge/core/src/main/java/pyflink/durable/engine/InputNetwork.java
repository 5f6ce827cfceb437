package pyflink.durable.engine;

/** What the operator can tell of the network in front of it. On the task thread. */
public interface InputNetwork {

    /**
     * Whether the task still reads the channel data of the checkpoint that it was restored from.
     */
    boolean isRecovering();

    /** How many bytes it has read since it runs. */
    long bytesRead();

    /** How many bytes its channels can hold, on both sides. */
    long capacity();
}
