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
 * After {@link #close()} every method that reaches an invocation refuses: a thread that outlives
 * its attempt would write into the journal of an invocation that the next attempt runs. Counting
 * and logging go on, for the host's own close.
 */
public final class DurableBridge {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    /** The operator, as far as the bridge needs it. On the task thread, but where it is said. */
    interface Host {
        /** Any thread. */
        void wake();

        void wakeAt(long epochMillis);

        /** Any thread. */
        Object externalKey(Invocation<?, ?> invocation);

        UserState userState(long invocation);

        boolean hasSideOutput(String tag);
    }

    private final Host host;
    private final DurableCounters counters;
    private final ConcurrentHashMap<Long, Invocation<?, ?>> invocations = new ConcurrentHashMap<>();
    private final AtomicBoolean closed = new AtomicBoolean();

    DurableBridge(Host host, DurableCounters counters) {
        this.host = host;
        this.counters = counters;
    }

    // ------------------------------------------------------------------ the life of an invocation

    /** Makes the journal of an invocation reachable. Task thread only. */
    void begin(Invocation<?, ?> invocation) {
        invocations.put(invocation.id(), invocation);
    }

    /** Makes it unreachable. Task thread only. */
    void end(Invocation<?, ?> invocation) {
        invocations.remove(invocation.id());
    }

    /** Has the operator call the operation's {@code resume} soon. Any thread. */
    public void wake() {
        if (!closed.get()) {
            host.wake();
        }
    }

    /** Has the operator call the operation's {@code resume} at a time. Task thread only. */
    public void wakeAt(long epochMillis) {
        requireOpen();
        host.wakeAt(epochMillis);
    }

    /** The key of an invocation, in the form that PyFlink's converters take. Any thread. */
    public Object getKey(long invocation) {
        return host.externalKey(invocation(invocation));
    }

    // ------------------------------------------------------------------ the journal, by slot

    @Nullable
    public Object[] getCallResultFieldsAt(long invocation, int slot) {
        return journal(invocation).getCallResultFieldsAt(slot);
    }

    public void appendPendingCallAt(
            long invocation, int slot, String functionId, String argsDigest) {
        journal(invocation).appendPendingCallAt(slot, functionId, argsDigest);
        counters.add("executed", 1);
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
        counters.add("executed", 1);
    }

    public void clearCallResultsFrom(long invocation, int slot) {
        journal(invocation).clearCallResultsFrom(slot);
    }

    /**
     * Applies the journal writes of a step in order. Task thread only.
     *
     * @param executed how many calls were made in the step
     * @param writes seven fields each: invocation, slot, function id, digest of the arguments, what
     *     to do, result, exception
     */
    public void applyJournalWrites(long executed, Object[] writes) {
        requireOpen();
        counters.add("executed", executed);
        for (int i = 0; i < writes.length; i += 7) {
            Journal journal = journal(((Number) writes[i]).longValue());
            int slot = ((Number) writes[i + 1]).intValue();
            String functionId = (String) writes[i + 2];
            String argsDigest = (String) writes[i + 3];
            byte[] result = (byte[]) writes[i + 5];
            byte[] exception = (byte[]) writes[i + 6];
            switch ((String) writes[i + 4]) {
                case "PENDING":
                    journal.appendPendingCallAt(slot, functionId, argsDigest);
                    break;
                case "FINALIZED":
                    journal.finalizeCallAt(slot, functionId, argsDigest, result, exception);
                    break;
                case "RECORDED":
                    journal.recordCallCompletionAt(slot, functionId, argsDigest, result, exception);
                    break;
                case "CLEARED":
                    journal.clearCallResultsFrom(slot);
                    break;
                default:
                    throw new IllegalArgumentException("Unknown journal write " + writes[i + 4]);
            }
        }
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
        return invocation(invocation).journal();
    }

    private Invocation<?, ?> invocation(long id) {
        requireOpen();
        Invocation<?, ?> invocation = invocations.get(id);
        if (invocation == null) {
            throw new IllegalStateException(
                    "Invocation " + id + " has ended; its journal takes no more calls.");
        }
        return invocation;
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
        invocations.clear();
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException(
                    "The task attempt of this call has ended; what it does no longer counts.");
        }
    }
}
