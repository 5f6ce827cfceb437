package pyflink.durable.operator;

import java.io.Serializable;
import pyflink.durable.engine.InputNetwork;

/** A network in front of a {@link HarnessOperator}, of which the test tells what it likes. */
public final class HarnessNetwork implements InputNetwork, Serializable {

    private static final long serialVersionUID = 1L;

    private boolean recovering;
    private long read;
    private long capacity = 1_000_000;

    /** Whether what is sent is channel data of the checkpoint. */
    public void recovering(boolean is) {
        recovering = is;
    }

    /** So many bytes more were read. */
    public void read(long bytes) {
        read += bytes;
    }

    public void capacity(long bytes) {
        capacity = bytes;
    }

    @Override
    public boolean isRecovering() {
        return recovering;
    }

    @Override
    public long bytesRead() {
        return read;
    }

    @Override
    public long capacity() {
        return capacity;
    }
}
