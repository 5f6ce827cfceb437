package pyflink.durable.operator;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.engine.DurableCounters;
import pyflink.durable.engine.HostRequests;
import pyflink.durable.engine.Invocation;
import pyflink.durable.engine.RunningInvocations;
import pyflink.durable.engine.StepWrites;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.Journal;

/**
 * What the Python side of the operator sees of it. Every method takes and returns nothing but null,
 * int, long, String, byte[] and Object[] of those: those may cross from any Python thread, a custom
 * Java object only on the task thread.
 *
 * <p>Journal methods are for any thread; the others, where it is said, for the task thread only.
 * When the attempt has ended every method that reaches an invocation refuses: a thread that
 * outlives its attempt would write into the journal of an invocation that the next attempt runs.
 * Counting and logging go on, for the host's own close.
 */
public final class DurableBridge {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final RunningInvocations invocations;
    private final HostRequests engine;
    private final DurableCounters counters;

    public DurableBridge(
            RunningInvocations invocations, HostRequests engine, DurableCounters counters) {
        this.invocations = invocations;
        this.engine = engine;
        this.counters = counters;
    }

    /** Has the operator call the operation's {@code resume} soon. Any thread. */
    public void wake() {
        if (!invocations.isClosed()) {
            engine.wake();
        }
    }

    /** Has the operator call the operation's {@code resume} at a time. Task thread only. */
    public void wakeAt(long epochMillis) {
        invocations.requireOpen();
        engine.wakeAt(epochMillis);
    }

    /** The key of an invocation, in the form that Python reads. Any thread. */
    public Object getKey(long invocation) {
        return engine.externalKey(invocations.get(invocation));
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
        return engine.identify(invocations.get(invocation), invocationId, inputDigest);
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
        Invocation<?, ?> invocation = invocations.get(id);
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
        Invocation<?, ?> invocation = invocations.get(id);
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
        Invocation<?, ?> invocation = invocations.get(id);
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
        Invocation<?, ?> invocation = invocations.get(id);
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
        Invocation<?, ?> invocation = invocations.get(id);
        invocation.journal().begin(began);
        invocation
                .journal()
                .recordCallCompletionAt(
                        slot, functionId, argsDigest, result, exception, endedAt, repeatable == 1);
        counters.add("executed", 1);
        written(invocation, slot, null);
    }

    public void clearCallResultsFrom(long id, int slot) {
        Invocation<?, ?> invocation = invocations.get(id);
        invocation.journal().clearCallResultsFrom(slot);
        engine.cleared(invocation, slot);
    }

    /** A hold must not be known before what it waits for is in the journal. */
    private void written(Invocation<?, ?> invocation, int slot, @Nullable String hold) {
        engine.written(invocation, slot, hold);
        if (hold != null) {
            wake();
        }
    }

    /**
     * Applies writes of a step before its end, for who reads the journal there: a dead letter tells
     * the calls of the same step, too. Task thread only.
     *
     * @param executed how many calls were made
     * @param writes as in the report of a step
     */
    public void applyJournalWrites(long executed, Object[] writes) {
        new StepWrites(invocations, engine, counters).apply(executed, writes);
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
        return invocations.get(invocation).journal();
    }

    // ------------------------------------------------------------------ user state, task thread

    @Nullable
    public byte[] getState(long invocation, String name) throws Exception {
        invocations.requireOpen();
        return engine.userState(invocation).get(name);
    }

    public Object[] getStateNames(long invocation) throws Exception {
        invocations.requireOpen();
        return engine.userState(invocation).names();
    }

    // ------------------------------------------------------------------ signals, task thread

    /**
     * Takes the first signal of a name that an invocation may take.
     *
     * @param invocationId by which senders know the invocation
     * @return number, id (or null) and content; null if there is none
     */
    @Nullable
    public Object[] takeSignal(long invocation, String name, String invocationId) throws Exception {
        invocations.requireOpen();
        return engine.signals(invocation).take(name, invocationId);
    }

    /** The contents of all signals of a name that an invocation may take. */
    public Object[] lookForSignals(long invocation, String name, String invocationId)
            throws Exception {
        invocations.requireOpen();
        return engine.signals(invocation).look(name, invocationId);
    }

    /** Tells that the journal holds a signal as taken, perhaps from the call log. */
    public void signalTaken(long invocation, long number, @Nullable String id) throws Exception {
        invocations.requireOpen();
        engine.signals(invocation).taken(number, id);
    }

    // ------------------------------------------------------------------ telling

    /** Whether the job reads this side output; values for others have nowhere to go. */
    public boolean hasSideOutput(String tag) {
        return engine.hasSideOutput(tag);
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
        return engine.describeTask();
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
}
