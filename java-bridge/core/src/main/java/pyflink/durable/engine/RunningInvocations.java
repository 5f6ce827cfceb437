package pyflink.durable.engine;

import java.util.concurrent.ConcurrentHashMap;

/**
 * The invocations that run, by the number that their host knows each by, for its threads.
 *
 * <p>An invocation that has ended is not here, and after {@link #close()} none is: a thread that
 * outlives its attempt would write into the journal of an invocation that the next attempt runs.
 */
public final class RunningInvocations {

    private final ConcurrentHashMap<Long, Invocation<?, ?>> invocations = new ConcurrentHashMap<>();
    private volatile boolean closed;

    /** Makes an invocation reachable. Task thread only. */
    public void begin(Invocation<?, ?> invocation) {
        invocations.put(invocation.id(), invocation);
    }

    /** Makes it unreachable. Task thread only. */
    public void end(Invocation<?, ?> invocation) {
        invocations.remove(invocation.id());
    }

    /**
     * The running invocation of this number.
     *
     * @throws IllegalStateException if it has ended, or the attempt has
     */
    public Invocation<?, ?> get(long id) {
        requireOpen();
        Invocation<?, ?> invocation = invocations.get(id);
        if (invocation == null) {
            throw new IllegalStateException(
                    "Invocation " + id + " has ended; its journal takes no more calls.");
        }
        return invocation;
    }

    /** Refuses what comes after the end of the attempt. */
    public void requireOpen() {
        if (closed) {
            throw new IllegalStateException(
                    "The task attempt of this call has ended; what it does no longer counts.");
        }
    }

    public boolean isClosed() {
        return closed;
    }

    /** The attempt ends. */
    public void close() {
        closed = true;
        invocations.clear();
    }
}
