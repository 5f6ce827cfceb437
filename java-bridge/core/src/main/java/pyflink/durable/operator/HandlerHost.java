package pyflink.durable.operator;

import java.util.List;
import javax.annotation.Nullable;

/**
 * What runs the handlers: Python, or a test. On the task thread. Reports have the layout of the
 * Python host.
 */
interface HandlerHost<K, IN> {

    /** Starts the handlers of invocations. */
    @Nullable
    Object[] start(List<Invocation<K, IN>> invocations);

    /**
     * Resumes the handlers whose calls have ended.
     *
     * @param released three fields for each hold that is over: invocation, slot, and the message of
     *     what went wrong, or null; null if there are none
     */
    @Nullable
    Object[] resume(@Nullable Object[] released);

    /** Ends the handlers and their threads. */
    void close();
}
