package pyflink.durable.operator;

import java.io.IOException;
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

    /** The key of an invocation, in the form that Python reads. Any thread. */
    public Object getKey(long invocation) {
        return host.externalKey(invocation(invocation));
    }

    /**
     * Tells which invocation this is in every attempt, and merges what the call log holds of it
     * into its journal. Task thread only, before its first call; only for an operator with a log.
     *
     * @return how many slots the journal has then; -1 if the log knows the invocation by a digest
     *     of another version, which is to be told instead
     */
    public int identify(long invocation, String invocationId, String inputDigest)
            throws IOException {
        return host.identify(invocation(invocation), invocationId, inputDigest);
    }

    // ------------------------------------------------------------------ the journal, by slot

    @Nullable
    public Object[] getCallResultFieldsAt(long invocation, int slot) {
        return journal(invocation).getCallResultFieldsAt(slot);
    }

    /**
     * @param began when the invocation began, in microseconds since the epoch, for its first slot;
     *     {@link Call#NO_TIME} for the others
     * @param repeatable 1 if the call may simply run again, 0 if not; see {@link Call#repeatable}
     * @param hold what the call waits for before it starts: {@code CHECKPOINT}, {@code LOG}, or
     *     null for nothing
     */
    public void appendPendingCallAt(
            long id,
            int slot,
            String functionId,
            String argsDigest,
            long began,
            int repeatable,
            @Nullable String hold) {
        Invocation<?, ?> invocation = invocation(id);
        invocation.journal().begin(began);
        invocation.journal().appendPendingCallAt(slot, functionId, argsDigest, repeatable == 1);
        counters.add("executed", 1);
        written(invocation, slot, hold);
    }

    public void startAttemptAt(
            long id,
            int slot,
            String functionId,
            String argsDigest,
            int attempt,
            @Nullable String hold) {
        Invocation<?, ?> invocation = invocation(id);
        invocation.journal().startAttemptAt(slot, functionId, argsDigest, attempt);
        written(invocation, slot, hold);
    }

    /**
     * @param due in milliseconds since the epoch
     * @param began see {@link #appendPendingCallAt}
     * @param repeatable see there
     */
    public void scheduleCallAt(
            long id,
            int slot,
            String functionId,
            String argsDigest,
            int attempt,
            long due,
            long began,
            int repeatable) {
        Invocation<?, ?> invocation = invocation(id);
        invocation.journal().begin(began);
        invocation
                .journal()
                .scheduleCallAt(slot, functionId, argsDigest, attempt, due, repeatable == 1);
        written(invocation, slot, null);
    }

    /**
     * @param endedAt when the outcome came, in microseconds since the epoch
     * @param hold what the outcome waits for before the handler sees it
     */
    public void finalizeCallAt(
            long id,
            int slot,
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception,
            long endedAt,
            @Nullable String hold) {
        Invocation<?, ?> invocation = invocation(id);
        invocation
                .journal()
                .finalizeCallAt(slot, functionId, argsDigest, result, exception, endedAt);
        written(invocation, slot, hold);
    }

    /**
     * @param endedAt when the outcome came, in microseconds since the epoch
     * @param began see {@link #appendPendingCallAt}
     * @param repeatable see there
     */
    public void recordCallCompletionAt(
            long id,
            int slot,
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception,
            long endedAt,
            long began,
            int repeatable) {
        Invocation<?, ?> invocation = invocation(id);
        invocation.journal().begin(began);
        invocation
                .journal()
                .recordCallCompletionAt(
                        slot, functionId, argsDigest, result, exception, endedAt, repeatable == 1);
        counters.add("executed", 1);
        written(invocation, slot, null);
    }

    public void clearCallResultsFrom(long id, int slot) {
        Invocation<?, ?> invocation = invocation(id);
        invocation.journal().clearCallResultsFrom(slot);
        host.cleared(invocation, slot);
    }

    /** A hold must not be known before what it waits for is in the journal: see {@link Gate}. */
    private void written(Invocation<?, ?> invocation, int slot, @Nullable String hold) {
        host.written(invocation, slot, hold);
        if (hold != null) {
            wake();
        }
    }

    /**
     * Applies the journal writes of a step in order. Task thread only.
     *
     * @param executed how many calls were made in the step
     * @param writes see {@link JournalWrites}
     */
    public void applyJournalWrites(long executed, Object[] writes) {
        requireOpen();
        counters.add("executed", executed);
        for (JournalWrites write = new JournalWrites(writes); write.next(); ) {
            Invocation<?, ?> invocation = invocation(write.invocation());
            write.apply(invocation.journal());
            if (write.clears()) {
                host.cleared(invocation, write.slot());
            } else {
                host.written(invocation, write.slot(), write.hold());
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

    public void record(String histogram, long value) {
        counters.record(histogram, value);
    }

    /**
     * What Flink knows of the task: the job's id, the task's name, that name with the subtask, the
     * subtask's index, the parallelism, the max parallelism, the attempt. Task thread only.
     */
    public Object[] describeTask() {
        return host.describeTask();
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
