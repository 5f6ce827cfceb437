package pyflink.durable.engine;

import java.util.List;
import javax.annotation.Nullable;

/**
 * What runs the handlers: Python, or a test. On the task thread. Reports have the layout of the
 * Python host.
 */
public interface HandlerHost<K, IN> {

    /**
     * Looks at the key of an input that is about to be accepted.
     *
     * @throws RuntimeException if it cannot tell inputs apart
     */
    void checkKey(K key);

    /**
     * Starts the handlers of invocations, as many as there is time for, and runs each until it
     * waits.
     *
     * @param millis how long it goes on starting handlers; it starts one at least
     * @return how many it has started, and the report of the step
     */
    Object[] start(List<Invocation<K, IN>> invocations, long millis);

    /**
     * Resumes the handlers whose calls have ended.
     *
     * @param released three fields for each hold that is over: invocation, slot, and the message of
     *     what went wrong, or null; null if there are none
     * @return the report of the step: calls made, journal writes, ended invocations, outputs; null
     *     if there is nothing to tell
     */
    @Nullable
    Object[] resume(@Nullable Object[] released);

    /**
     * The journal writes of the last step that its report left out, of invocations that have ended:
     * their outputs have to wait, and a checkpoint may come first.
     *
     * @return as in the report
     */
    Object[] keep(Object[] invocations);

    /**
     * Reads what a signal says of itself.
     *
     * @param key its key, in the form that Python reads
     * @return its name, its id, the invocation that it is for, the same as the number of an input,
     *     why nobody may take it, and what is kept of it in place of the content; null for what is
     *     not so
     */
    Object[] readSignal(byte[] content, Object key);

    /**
     * Drops handlers that wait, as if they had failed; they are not told of any more.
     *
     * @param invocations their ids
     * @return three fields for each that was dropped: its id, when it is to go on at the latest
     *     (milliseconds since the epoch), and the names of the signals that it waits for; others do
     *     not let themselves be dropped
     */
    Object[] park(Object[] invocations);

    /**
     * Makes outputs of an input that is not taken in, since too many of its key wait.
     *
     * @param most how many may wait
     * @return outputs as in the report
     * @throws RuntimeException if the task is to fail then
     */
    Object[] refuse(K key, IN value, int most);

    /** Has the next step look for signals that an invocation waits for. */
    void signalled(long invocation);

    /**
     * Makes outputs of signals that nobody has taken.
     *
     * @param signals three fields each: the key, in the form that Python reads, the content, and
     *     why
     * @return outputs as in the report
     */
    Object[] unclaimed(Object[] signals);

    /** Ends the handlers and their threads. */
    void close();
}
