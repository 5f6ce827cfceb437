package pyflink.durable.operator;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.annotation.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.Journal;

/**
 * What the Python side of the operator sees of it. Every method takes and returns nothing but null,
 * int, long, String, byte[] and Object[] of those: those may cross from any Python thread, a custom
 * Java object only on the task thread.
 *
 * <p>Journal methods are for any thread; the others, where it is said, for the task thread only.
 * After {@link #close()} every method but {@link #wake()} and {@link #log} refuses: a thread that
 * outlives its attempt would write into the journal of an invocation that the next attempt runs.
 */
public final class DurableBridge {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    /** The operator, as far as the bridge needs it. All but {@code wake} on the task thread. */
    interface Host {
        Invocation<?, ?> begin();

        void finish(long invocation) throws Exception;

        void wake();

        void wakeAt(long epochMillis);

        UserState userState(long invocation);

        boolean hasSideOutput(String tag);
    }

    private final Host host;
    private final DurableCounters counters;
    private final ConcurrentHashMap<Long, Journal> journals = new ConcurrentHashMap<>();
    private final AtomicBoolean closed = new AtomicBoolean();

    DurableBridge(Host host, DurableCounters counters) {
        this.host = host;
        this.counters = counters;
    }

    // ------------------------------------------------------------------ the life of an invocation

    /**
     * The invocation that is being started. Task thread only.
     *
     * @return {@code [id, timestamp or null, sequence number, slots in the journal]}
     */
    public Object[] begin() {
        requireOpen();
        Invocation<?, ?> invocation = host.begin();
        Journal journal = invocation.journal();
        journals.put(invocation.id(), journal);
        return new Object[] {
            invocation.id(),
            invocation.input().timestamp(),
            invocation.input().sequence(),
            journal.size()
        };
    }

    /**
     * Ends an invocation: its input and journal are dropped, and what is emitted from here to the
     * next {@code finish} carries its timestamp. Task thread only.
     */
    public void finish(long invocation) throws Exception {
        requireOpen();
        journals.remove(invocation);
        host.finish(invocation);
    }

    /** Has the operator call the host's {@code on_timer} soon. Any thread. */
    public void wake() {
        if (!closed.get()) {
            host.wake();
        }
    }

    /** Has the operator call the host's {@code on_timer} at a time. Task thread only. */
    public void wakeAt(long epochMillis) {
        requireOpen();
        host.wakeAt(epochMillis);
    }

    // ------------------------------------------------------------------ the journal, by slot

    @Nullable
    public Object[] getCallResultFieldsAt(long invocation, int slot) {
        return journal(invocation).getCallResultFieldsAt(slot);
    }

    public void appendPendingCallAt(
            long invocation, int slot, String functionId, String argsDigest) {
        journal(invocation).appendPendingCallAt(slot, functionId, argsDigest);
    }

    public void finalizeCallAt(
            long invocation,
            int slot,
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception) {
        journal(invocation).finalizeCallAt(slot, functionId, argsDigest, result, exception);
    }

    public void recordCallCompletionAt(
            long invocation,
            int slot,
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception) {
        journal(invocation).recordCallCompletionAt(slot, functionId, argsDigest, result, exception);
    }

    public void clearCallResultsFrom(long invocation, int slot) {
        journal(invocation).clearCallResultsFrom(slot);
    }

    /** All calls of an invocation as {@code [function_id, args_digest, status, ...]} by slot. */
    public Object[] getCalls(long invocation) {
        Journal journal = journal(invocation);
        List<Object> calls = new ArrayList<>();
        int slot = 0;
        for (Call ignored : journal.calls()) {
            calls.add(journal.getCallResultFieldsAt(slot++));
        }
        return calls.toArray();
    }

    private Journal journal(long invocation) {
        requireOpen();
        Journal journal = journals.get(invocation);
        if (journal == null) {
            throw new IllegalStateException(
                    "Invocation " + invocation + " has ended; its journal takes no more calls.");
        }
        return journal;
    }

    // ------------------------------------------------------------------ user state, task thread

    @Nullable
    public byte[] getState(long invocation, String name) throws Exception {
        requireOpen();
        return host.userState(invocation).get(name);
    }

    public Object[] getStateNames(long invocation) throws Exception {
        requireOpen();
        return host.userState(invocation).names();
    }

    /** Writes a value of the invocation's key, or removes it where the value is null. */
    public void putState(long invocation, String name, @Nullable byte[] value) throws Exception {
        requireOpen();
        host.userState(invocation).put(name, value);
    }

    // ------------------------------------------------------------------ telling

    /** Whether the job reads this side output; values for others have nowhere to go. */
    public boolean hasSideOutput(String tag) {
        return host.hasSideOutput(tag);
    }

    public void count(String counter, long count) {
        counters.add(counter, count);
    }

    /** Puts a line of the Python side in Flink's log. */
    public void log(String level, String message) {
        switch (level) {
            case "ERROR":
                LOG.error(message);
                break;
            case "WARNING":
                LOG.warn(message);
                break;
            case "INFO":
                LOG.info(message);
                break;
            default:
                LOG.debug(message);
        }
    }

    void close() {
        closed.set(true);
        journals.clear();
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException(
                    "The task attempt of this call has ended; what it does no longer counts.");
        }
    }
}
