package pyflink.durable.operator;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.engine.DurableCounters;
import pyflink.durable.engine.HostRequests;
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
    private final StepWrites writes;

    public DurableBridge(
            RunningInvocations invocations, HostRequests engine, DurableCounters counters) {
        this.invocations = invocations;
        this.engine = engine;
        this.counters = counters;
        this.writes = new StepWrites(invocations, engine, counters);
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
     * Applies writes at once, and not with the report of a step: those of {@code def} handlers,
     * whose threads write while a snapshot may be taken, and those that a dead letter tells. Any
     * thread.
     *
     * @param executed how many calls are made by them
     * @param fields as in the report of a step
     */
    public void applyJournalWrites(long executed, Object[] fields) {
        if (writes.apply(executed, fields)) {
            wake(); // what it waits for comes by a mail
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
