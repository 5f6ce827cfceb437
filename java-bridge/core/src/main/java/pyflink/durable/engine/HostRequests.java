package pyflink.durable.engine;

import java.io.IOException;
import javax.annotation.Nullable;
import pyflink.durable.state.UserState;

/**
 * What a {@link HandlerHost} asks of the engine in turn. On the task thread, but where it is said.
 */
public interface HostRequests {

    /** The log knows the invocation by the digest of its input under another version. */
    int OTHER_VERSION = -1;

    /** Has the host's {@code resume} called soon. Any thread. */
    void wake();

    /** Has it called at a time. */
    void wakeAt(long epochMillis);

    /** The key of an invocation, in the form that Python reads. Any thread. */
    Object externalKey(Invocation<?, ?> invocation);

    /** What handlers keep for the key of a running invocation, which is selected. */
    UserState userState(long invocation);

    /** The signals of the key of a running invocation, which is selected. */
    Signals<?, ?> signals(long invocation);

    /**
     * Tells which invocation this is in every attempt, and merges what the call log holds of it
     * into its journal.
     *
     * @return how many slots the journal has then; {@link #OTHER_VERSION} if the log knows the
     *     invocation by a digest of another version, which is to be told instead
     */
    int identify(Invocation<?, ?> invocation, String invocationId, String inputDigest)
            throws IOException;

    boolean hasSideOutput(String tag);

    Object[] describeTask();

    /**
     * Tells of a write to a slot, once it is in the journal. Any thread.
     *
     * @param hold what the call or its outcome waits for, null for nothing
     */
    void written(Invocation<?, ?> invocation, int slot, @Nullable String hold);

    /** Tells that slots were dropped, from this one on. Any thread. */
    void cleared(Invocation<?, ?> invocation, int slot);
}
