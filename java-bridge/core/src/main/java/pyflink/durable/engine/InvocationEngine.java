package pyflink.durable.engine;

import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLog;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.Input;
import pyflink.durable.state.Retention;
import pyflink.durable.state.SignalState;
import pyflink.durable.state.Unclaimed;
import pyflink.durable.state.UnclaimedState;
import pyflink.durable.state.UserState;

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
public final class InvocationEngine<K, IN> implements HostRequests {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String name;
    private final Limits limits;
    private final FlinkTask task;
    private final MailboxExecutor mailbox;
    private final HandlerHost<K, IN> host;
    private final DurableCounters counters;
    private final RunningInvocations invocations = new RunningInvocations();
    private final Progress progress = new Progress();
    private final WatermarkHold watermarks;
    private InvocationScheduler<K, IN> scheduler;
    private Gate<K, IN> gate;
    private Holds<K, IN> holds;
    @Nullable private WriteAhead<K, IN> writeAhead;
    private Valve valve;
    private Drain<K, IN> drain;
    private CheckpointNews checkpoints;
    private Watch<K, IN> watch;
    private HandlerSteps<K, IN> steps;
    @Nullable private Signals<K, IN> signals;
    private KeyedStateBackend<K> keyedState;
    private UserState userState;
    private TypeSerializer<IN> valueSerializer;
    private boolean copyInputs;
    private boolean restored;
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
        this.name = name;
        this.limits = limits;
        this.task = task;
        this.mailbox = mailbox;
        this.host = host;
        this.watermarks = new WatermarkHold(task);
        this.counters =
                new DurableCounters(
                        metrics,
                        () -> scheduler == null ? 0 : scheduler.runningCount(),
                        () -> scheduler == null ? 0 : scheduler.waitingCount(),
                        this::atGate,
                        () -> writeAhead == null ? 0 : writeAhead.waiting(),
                        this::stalledSeconds);
    }

    /**
     * To be called when the keyed state is there. What was in flight starts in the first mail.
     *
     * @param retention what is kept behind the end of invocations
     * @param callLog null for an operator without one
     * @param fromCheckpoint whether there is state that a checkpoint or a savepoint left
     */
    public void open(
            KeyedStateBackend<K> backend,
            RuntimeContext context,
            TypeSerializer<IN> newValueSerializer,
            TypeSerializer<Input<IN>> inputSerializer,
            boolean objectReuse,
            Retention retention,
            @Nullable CallLog callLog,
            boolean fromCheckpoint)
            throws Exception {
        if (callLog != null) {
            writeAhead =
                    new WriteAhead<>(
                            name,
                            callLog,
                            new Unclaimed<>(new UnclaimedState<>(backend, context)),
                            backend.getKeySerializer(),
                            context.getTaskInfo().getMaxNumberOfParallelSubtasks(),
                            counters,
                            this::wake);
            writeAhead.recover();
        }
        valueSerializer = newValueSerializer;
        copyInputs = objectReuse;
        keyedState = backend;
        userState = new UserState(context, retention);
        scheduler =
                new InvocationScheduler<>(
                        new InFlightState<>(backend, context, inputSerializer, retention),
                        watermarks,
                        limits.maxInFlight,
                        limits.maxPending);
        gate = new Gate<>(scheduler);
        holds = new Holds<>(name, limits, gate, progress, writeAhead);
        ProcessingTimeService timers = task.getProcessingTimeService();
        valve =
                new Valve(
                        name,
                        mailbox,
                        scheduler,
                        gate,
                        counters,
                        task.network(),
                        new WaitLimit(timers),
                        limits.checkpointPeriod(),
                        fromCheckpoint);
        drain =
                new Drain<>(
                        scheduler,
                        gate,
                        progress,
                        timers,
                        limits.checkpointInterval + limits.drainTimeout);
        checkpoints = new CheckpointNews(timers);
        watch = new Watch<>(name, limits, scheduler, gate, valve, progress, checkpoints, timers);
        steps =
                new HandlerSteps<>(
                        name,
                        task,
                        mailbox,
                        host,
                        invocations,
                        new StepWrites(invocations, this, counters),
                        scheduler,
                        gate,
                        writeAhead,
                        new Endings<>(
                                task,
                                invocations,
                                watermarks,
                                scheduler,
                                gate,
                                progress,
                                userState,
                                System::nanoTime),
                        limits.collectMillis);
        if (retention.signalTtl > 0) {
            signals =
                    new Signals<>(
                            name,
                            task,
                            mailbox,
                            host,
                            counters,
                            new SignalState<>(backend, context, retention.signalTtl),
                            retention.signalTtl);
        }
        mailbox.execute(this::restore, "start what was in flight");
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

    /**
     * Ends the handlers. Their journals close first, so that nothing an interrupted call still does
     * reaches the journal.
     */
    private void closeHost() {
        if (!closed) {
            closed = true;
            if (steps != null) {
                steps.stop();
            }
            if (signals != null) {
                signals.stop();
            }
            invocations.close();
            host.close();
        }
    }

    // ------------------------------------------------------------------ inputs

    /** Takes an input of the selected key in; returns when there is room for another. */
    @SuppressWarnings("unchecked")
    public void accept(StreamRecord<IN> element) throws Exception {
        ensureRestored(); // selects other keys, so the element's own is taken after it
        K key = (K) task.getCurrentKey();
        host.checkKey(key); // nothing of a bad input may be in a checkpoint
        IN value = copyInputs ? valueSerializer.copy(element.getValue()) : element.getValue();
        scheduler.accept(key, element.hasTimestamp() ? element.getTimestamp() : null, value);
        steps.accepted();
        valve.awaitRoom();
    }

    /** Takes a signal of the selected key in, in front of the inputs that wait. */
    @SuppressWarnings("unchecked")
    public void acceptSignal(byte[] content) throws Exception {
        ensureRestored();
        K key = (K) task.getCurrentKey();
        host.checkKey(key);
        if (signals.accept(content, scheduler.runningOf(key))) {
            steps.askToResume();
        }
    }

    /** Takes a watermark that came behind all inputs accepted so far. */
    public void accept(Watermark mark) throws Exception {
        ensureRestored();
        watermarks.hold(mark.getTimestamp());
    }

    /** Takes a change of the stream's status that came behind all inputs accepted so far. */
    public void accept(WatermarkStatus status) throws Exception {
        ensureRestored();
        watermarks.hold(status);
    }

    /** Waits until nothing is in flight, and ends the host. */
    public void endInput() throws Exception {
        ensureRestored();
        watch.inputEnded();
        steps.goOn();
        while (scheduler.hasInFlight()) {
            drain.requireCheckpoints();
            mailbox.yield();
        }
        if (signals != null) {
            signals.giveUpAll();
        }
        closeHost(); // the last checkpoint is still to complete, and the log to forget what it has
    }

    private void restore() throws Exception {
        ensureRestored();
        steps.goOn();
    }

    private void ensureRestored() throws Exception {
        if (restored) {
            return;
        }
        restored = true;
        Object selected = task.getCurrentKey();
        userState.takeOver(keyedState);
        int count = scheduler.restore();
        select(selected);
        if (count > 0) {
            LOG.info("Operator {} runs {} restored invocations again", name, count);
        }
    }

    private void select(@Nullable Object key) {
        if (key != null) {
            task.setCurrentKey(key);
        }
    }

    // ------------------------------------------------------------------ what the bridge asks for

    @Override
    public void wake() {
        if (!invocations.isClosed()) {
            steps.askToResume();
        }
    }

    @Override
    public void wakeAt(long epochMillis) {
        // a mail, since Flink lets the task go on after a timer that failed
        task.getProcessingTimeService().registerTimer(epochMillis, time -> wake());
    }

    @Override
    public Object externalKey(Invocation<?, ?> invocation) {
        return task.externalKey(invocation.key());
    }

    @Override
    public UserState userState(long id) {
        task.setCurrentKey(scheduler.running(id).key());
        return userState;
    }

    @Override
    public Signals<?, ?> signals(long id) {
        if (signals == null) {
            throw new IllegalStateException("Operator " + name + " has no input of signals.");
        }
        task.setCurrentKey(scheduler.running(id).key());
        return signals;
    }

    @Override
    public Object[] describeTask() {
        RuntimeContext context = task.getRuntimeContext();
        TaskInfo info = context.getTaskInfo();
        return new Object[] {
            context.getJobInfo().getJobId().toHexString(),
            info.getTaskName(),
            info.getTaskNameWithSubtasks(),
            info.getIndexOfThisSubtask(),
            info.getNumberOfParallelSubtasks(),
            info.getMaxNumberOfParallelSubtasks(),
            info.getAttemptNumber()
        };
    }

    @Override
    public boolean hasSideOutput(String tag) {
        return task.hasSideOutput(tag);
    }

    @Override
    @SuppressWarnings("unchecked")
    public int identify(Invocation<?, ?> invocation, String invocationId, String inputDigest)
            throws IOException {
        if (writeAhead == null) {
            throw new IllegalStateException("Operator " + name + " has no call log.");
        }
        return writeAhead.identify((Invocation<K, IN>) invocation, invocationId, inputDigest);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void written(Invocation<?, ?> invocation, int slot, @Nullable String hold) {
        holds.written((Invocation<K, IN>) invocation, slot, hold);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void cleared(Invocation<?, ?> invocation, int slot) {
        holds.cleared((Invocation<K, IN>) invocation, slot);
    }

    // ------------------------------------------------------------------ snapshots

    /**
     * Writes what is in flight to the keyed state; to be called before Flink writes that.
     *
     * @param savepoint whether it is one, which releases nothing: see {@link Gate}
     */
    public void snapshot(long checkpointId, boolean savepoint) throws Exception {
        Object selected = task.getCurrentKey();
        if (writeAhead != null) {
            writeAhead.snapshotBegins(checkpointId, savepoint);
        }
        gate.applyChanges();
        scheduler.saveChanges();
        if (!savepoint) {
            gate.snapshotTaken(checkpointId);
        }
        valve.snapshotTaken();
        checkpoints.snapshotTaken();
        select(selected);
    }

    /** Releases the calls that the checkpoint holds; their handlers go on in the next mail. */
    public void checkpointCompleted(long checkpointId) {
        if (writeAhead != null) {
            writeAhead.complete(checkpointId);
        }
        if (checkpoints.completed(checkpointId)) {
            drain.checkpointCompleted();
        }
        if (gate.complete(checkpointId)) {
            wake();
        }
    }

    /** How many calls wait for a checkpoint. */
    int atGate() {
        return gate == null ? 0 : gate.size();
    }

    /** For how long the work has stood still, when that has been told; any thread. */
    long stalledSeconds() {
        return watch == null ? 0 : watch.stalledSeconds();
    }

    /** What the host reaches from its threads. */
    public RunningInvocations invocations() {
        return invocations;
    }

    public DurableCounters counters() {
        return counters;
    }

    InvocationScheduler<K, IN> scheduler() {
        return scheduler;
    }
}
