package pyflink.durable.engine;

import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLog;
import pyflink.durable.state.InputForm;
import pyflink.durable.state.Retention;
import pyflink.durable.state.Unclaimed;
import pyflink.durable.state.UnclaimedState;
import pyflink.durable.state.VersionState;

/**
 * The life of the invocations of one subtask, between Flink, which gives inputs, checkpoints and
 * mails, and the host, which runs handlers. Works on the task thread, but where it is said.
 *
 * <p>The way of an element: it is accepted into the lane of its key; when its turn comes the host
 * starts its handler; the handler's calls run on other threads; a call that has ended wakes this
 * task by one mail, which resumes every handler that can go on; a handler that has ended has its
 * outputs emitted and its journal dropped in the same mail, so that no checkpoint sees one without
 * the other.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>An element is accepted before the operator waits for room. A checkpoint may be taken during
 *       the wait; an element held on the stack would be in nobody's state.
 *   <li>The mailbox executor has the lowest priority there is. At the priority of the operator's
 *       place in the chain, checkpoint mails would not run during the wait: a call that waits for a
 *       checkpoint would wait for ever.
 *   <li>Restored invocations start before new inputs are accepted. A new input of a key would
 *       otherwise be handled before an older one.
 *   <li>Watermarks wait for the inputs that they would make late, see {@link WatermarkHold}.
 * </ul>
 */
public final class InvocationEngine<K, IN> {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final EngineParts.Base<K, IN> base;

    /** Here before the other parts, so that it is closed if one of them cannot be made. */
    @Nullable private volatile WriteAhead<K, IN> writeAhead;

    /** Null until the engine is open. */
    @Nullable private volatile EngineParts<K, IN> parts;

    private KeyedStateBackend<K> keyedState;
    private TypeSerializer<IN> valueSerializer;
    private boolean copyInputs;
    private boolean restored;
    private boolean lastMarkCame;
    private boolean closed;

    /**
     * @param name of the operator
     * @param mailbox of the lowest priority
     */
    public InvocationEngine(
            String name,
            Limits limits,
            FlinkTask task,
            MailboxExecutor mailbox,
            HandlerHost<K, IN> host,
            MetricGroup metrics) {
        DurableCounters counters =
                new DurableCounters(
                        metrics,
                        () -> parts == null ? 0 : parts.scheduler.runningCount(),
                        () -> parts == null ? 0 : parts.scheduler.waitingCount(),
                        this::atGate,
                        () -> writeAhead == null ? 0 : writeAhead.waiting(),
                        this::parkedCount,
                        this::oldestWaitMillis,
                        this::stalledSeconds);
        this.base = new EngineParts.Base<>(name, limits, task, mailbox, host, counters);
    }

    /**
     * To be called when the keyed state is there. What was in flight starts in the first mail.
     *
     * @param retention what is kept behind the end of invocations
     * @param callLog null for an operator without one
     * @param fromCheckpoint whether there is state that a checkpoint or a savepoint left
     * @param restoredWatermark the last one of the checkpoint
     * @param versions those of the handler
     */
    public void open(
            KeyedStateBackend<K> backend,
            RuntimeContext context,
            TypeSerializer<IN> newValueSerializer,
            InputForm<IN> inputForm,
            boolean objectReuse,
            Retention retention,
            @Nullable CallLog callLog,
            boolean fromCheckpoint,
            long restoredWatermark,
            VersionState versions)
            throws Exception {
        if (callLog != null) {
            WriteAhead<K, IN> opened =
                    new WriteAhead<>(
                            base.name,
                            callLog,
                            new Unclaimed<>(new UnclaimedState<>(backend, context)),
                            backend.getKeySerializer(),
                            context.getTaskInfo().getMaxNumberOfParallelSubtasks(),
                            base.counters,
                            base.requests::wake);
            writeAhead = opened;
            opened.recover();
        }
        keyedState = backend;
        valueSerializer = newValueSerializer;
        copyInputs = objectReuse;
        parts =
                new EngineParts<>(
                        base,
                        backend,
                        context,
                        inputForm,
                        retention,
                        writeAhead,
                        fromCheckpoint,
                        restoredWatermark,
                        versions);
        base.requests.open(parts);
        base.mailbox.execute(this::restore, "start what was in flight");
    }

    /** Ends the handlers and the call log. */
    public void close() {
        try {
            closeHost();
        } finally {
            if (writeAhead != null) {
                writeAhead.close();
            }
        }
    }

    /** Ends the handlers, their journals first: what interrupted calls still do reaches none. */
    private void closeHost() {
        if (!closed) {
            closed = true;
            if (parts != null) {
                parts.stop();
            }
            base.invocations.close();
            base.host.close();
        }
    }

    /** Takes an input of the selected key in; returns when there is room for another. */
    @SuppressWarnings("unchecked")
    public void accept(StreamRecord<IN> element) throws Exception {
        ensureRestored(); // selects other keys, so the element's own is taken after it
        K key = (K) base.task.getCurrentKey();
        base.host.checkKey(key); // nothing of a bad input may be in a checkpoint
        IN value = copyInputs ? valueSerializer.copy(element.getValue()) : element.getValue();
        Long timestamp = element.hasTimestamp() ? element.getTimestamp() : null;
        if (parts.arrivals.accept(key, timestamp, value)) {
            parts.valve.awaitRoom();
        }
    }

    /** Takes a signal of the selected key in, in front of the inputs that wait. */
    @SuppressWarnings("unchecked")
    public void acceptSignal(byte[] content) throws Exception {
        ensureRestored();
        K key = (K) base.task.getCurrentKey();
        base.host.checkKey(key);
        parts.signalDesk.accept(key, content);
    }

    /**
     * Takes a watermark that came behind all inputs accepted so far. The last one there is waits
     * for the end of the input: nothing holds it back for what is parked, and whatever comes behind
     * it is late.
     */
    public void accept(Watermark mark) throws Exception {
        ensureRestored();
        if (mark.equals(Watermark.MAX_WATERMARK) && parts.parking != null) {
            lastMarkCame = true;
        } else {
            base.watermarks.hold(mark.getTimestamp());
        }
    }

    /** Takes a change of the stream's status that came behind all inputs accepted so far. */
    public void accept(WatermarkStatus status) throws Exception {
        ensureRestored();
        base.watermarks.hold(status);
    }

    /** Waits until nothing is in flight, and ends the host. */
    public void endInput() throws Exception {
        ensureRestored();
        parts.finish();
        if (lastMarkCame) {
            base.watermarks.hold(Watermark.MAX_WATERMARK.getTimestamp());
        }
        closeHost(); // the last checkpoint is still to complete, and the log to forget what it has
    }

    private void restore() throws Exception {
        ensureRestored();
        parts.steps.goOn();
    }

    private void ensureRestored() throws Exception {
        if (restored) {
            return;
        }
        restored = true;
        Object selected = base.task.getCurrentKey();
        parts.userState.takeOver(keyedState);
        int count = parts.scheduler.restore();
        if (writeAhead != null && parts.parkedKeys != null) {
            parts.parkedKeys.wake(writeAhead.knownKeys());
        }
        select(selected);
        if (count > 0) {
            LOG.info("Operator {} runs {} restored invocations again", base.name, count);
        }
    }

    private void select(@Nullable Object key) {
        if (key != null) {
            base.task.setCurrentKey(key);
        }
    }

    /**
     * Writes what is in flight to the keyed state; to be called before Flink writes that.
     *
     * @param savepoint whether it is one, which releases nothing: see {@link Gate}
     */
    public void snapshot(long checkpointId, boolean savepoint) throws Exception {
        Object selected = base.task.getCurrentKey();
        parts.snapshot(checkpointId, savepoint);
        select(selected);
    }

    /** Releases the calls that the checkpoint holds; their handlers go on in the next mail. */
    public void checkpointCompleted(long checkpointId) {
        parts.checkpointCompleted(checkpointId);
    }

    /** Behind which the outputs of later attempts are not late; the smallest number at first. */
    public long lastWatermark() {
        return base.parkedWatermarks.last(base.watermarks.last());
    }

    /** How many invocations are parked; any thread. */
    int parkedCount() {
        return parts == null ? 0 : parts.parkedCount();
    }

    /** For how long the one is parked that is so for longest; any thread. */
    long oldestWaitMillis() {
        return parts == null || parts.parking == null ? 0 : parts.parking.oldestWaitMillis();
    }

    /** How many calls wait for a checkpoint. */
    int atGate() {
        return parts == null ? 0 : parts.gate.size();
    }

    /** For how long the work has stood still, when that has been told; any thread. */
    long stalledSeconds() {
        return parts == null ? 0 : parts.watch.stalledSeconds();
    }

    /** What the host reaches from its threads. */
    public RunningInvocations invocations() {
        return base.invocations;
    }

    /** What the host may ask for. */
    public HostRequests requests() {
        return base.requests;
    }

    public DurableCounters counters() {
        return base.counters;
    }

    InvocationScheduler<K, IN> scheduler() {
        return parts.scheduler;
    }
}
