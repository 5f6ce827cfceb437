package pyflink.durable.engine;

import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.state.Deadlines;
import pyflink.durable.state.HeldWatermarks;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.InputForm;
import pyflink.durable.state.ParkedState;
import pyflink.durable.state.Retention;
import pyflink.durable.state.SignalState;
import pyflink.durable.state.UserState;
import pyflink.durable.state.VersionState;

/**
 * The parts of an {@link InvocationEngine} that the keyed state is needed for, wired up, and what
 * they do together. On the task thread, but where it is said.
 */
final class EngineParts<K, IN> {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    /** What there is before the keyed state is. */
    static final class Base<K, IN> {
        final String name;
        final Limits limits;
        final FlinkTask task;
        final MailboxExecutor mailbox;
        final HandlerHost<K, IN> host;
        final DurableCounters counters;
        final ParkedWatermarks<K, IN> parkedWatermarks;
        final WatermarkHold watermarks;
        final Progress progress = new Progress();
        final RunningInvocations invocations = new RunningInvocations();
        final EngineRequests<K, IN> requests;

        Base(
                String name,
                Limits limits,
                FlinkTask task,
                MailboxExecutor mailbox,
                HandlerHost<K, IN> host,
                DurableCounters counters) {
            this.name = name;
            this.limits = limits;
            this.task = task;
            this.mailbox = mailbox;
            this.host = host;
            this.counters = counters;
            this.parkedWatermarks = new ParkedWatermarks<>(task);
            this.watermarks = new WatermarkHold(parkedWatermarks);
            this.requests = new EngineRequests<>(name, task, invocations);
        }
    }

    private final Base<K, IN> base;
    private final InFlightState<K, IN> inFlight;
    final UserState userState;
    final InvocationScheduler<K, IN> scheduler;
    final Gate<K, IN> gate;
    final Holds<K, IN> holds;
    final Valve valve;
    final Drain<K, IN> drain;
    final CheckpointNews checkpoints;
    final Watch<K, IN> watch;
    final HandlerSteps<K, IN> steps;

    /** Null for an operator without a call log. */
    @Nullable final WriteAhead<K, IN> writeAhead;

    /** Null for an operator without an input of signals. */
    @Nullable final Signals<K, IN> signals;

    /** Null for an operator without an input of signals. */
    @Nullable final SignalDesk<K, IN> signalDesk;

    /** Null if the state backend does not do for it. */
    @Nullable final Parking<K, IN> parking;

    /** Null with it. */
    @Nullable final ParkedKeys<K, IN> parkedKeys;

    final Arrivals<K, IN> arrivals;

    /**
     * @param writeAhead null for an operator without a call log
     * @param fromCheckpoint whether there is state that a checkpoint or a savepoint left
     * @param restoredWatermark the last one of the checkpoint
     * @param versions those of the handler
     */
    EngineParts(
            Base<K, IN> base,
            KeyedStateBackend<K> backend,
            RuntimeContext context,
            InputForm<IN> inputForm,
            Retention retention,
            @Nullable WriteAhead<K, IN> writeAhead,
            boolean fromCheckpoint,
            long restoredWatermark,
            VersionState versions)
            throws Exception {
        this.base = base;
        this.writeAhead = writeAhead;
        Limits limits = base.limits;
        ProcessingTimeService timers = base.task.getProcessingTimeService();
        userState = new UserState(context, retention);
        inFlight = new InFlightState<>(backend, context, inputForm, retention, versions.current());
        scheduler =
                new InvocationScheduler<>(
                        inFlight, base.watermarks, limits.maxInFlight, limits.maxPending);
        gate = new Gate<>(scheduler);
        holds = new Holds<>(base.name, limits, gate, base.progress, writeAhead);
        valve = newValve(timers, fromCheckpoint);
        drain =
                new Drain<>(
                        scheduler,
                        gate,
                        base.progress,
                        timers,
                        limits.checkpointInterval + limits.drainTimeout);
        checkpoints = new CheckpointNews(timers);
        watch =
                new Watch<>(
                        base.name,
                        limits,
                        scheduler,
                        gate,
                        valve,
                        base.progress,
                        checkpoints,
                        timers);
        steps = newSteps();
        ParkedState<K, IN> parked =
                Deadlines.areKeptBy(backend)
                        ? new ParkedState<>(backend, context, inputForm)
                        : null;
        versions.check(base.name, inFlight, parked);
        parkedKeys = parked == null ? null : newParkedKeys(parked, backend, restoredWatermark);
        parking = parked == null ? noParking() : newParking(parked);
        signals =
                retention.signalTtl > 0
                        ? newSignals(
                                new SignalState<>(backend, context, retention.signalTtl),
                                retention.signalTtl)
                        : null;
        signalDesk = signals == null ? null : newSignalDesk();
        arrivals = new Arrivals<>(base, scheduler, steps, parkedKeys);
    }

    private Valve newValve(ProcessingTimeService timers, boolean fromCheckpoint) {
        return new Valve(
                base.name,
                base.mailbox,
                scheduler,
                gate,
                base.counters,
                base.task.network(),
                new WaitLimit(timers),
                base.limits.checkpointPeriod(),
                fromCheckpoint);
    }

    private HandlerSteps<K, IN> newSteps() {
        return new HandlerSteps<>(
                base.name,
                base.task,
                base.mailbox,
                base.host,
                base.invocations,
                new StepWrites(base.invocations, base.requests, base.counters),
                scheduler,
                gate,
                writeAhead,
                new Endings<>(
                        base.task,
                        base.invocations,
                        base.watermarks,
                        base.parkedWatermarks,
                        scheduler,
                        gate,
                        base.progress,
                        userState,
                        System::nanoTime),
                base.limits.collectMillis);
    }

    private ParkedKeys<K, IN> newParkedKeys(
            ParkedState<K, IN> parked, KeyedStateBackend<K> backend, long restoredWatermark)
            throws Exception {
        base.parkedWatermarks.open(
                new HeldWatermarks<>(backend), base.limits.parkedHoldWatermarks, restoredWatermark);
        return new ParkedKeys<>(base.task, scheduler, inFlight, parked, base.parkedWatermarks);
    }

    private Parking<K, IN> newParking(ParkedState<K, IN> parked) {
        Parking<K, IN> made = new Parking<>(base, scheduler, steps, inFlight, parked);
        steps.wakeFrom(made);
        return made;
    }

    @Nullable
    private Parking<K, IN> noParking() {
        LOG.warn(
                "Operator {} parks no invocations: its state backend keeps timers on the heap"
                        + " (state.backend.rocksdb.timer-service.factory).",
                base.name);
        return null;
    }

    private Signals<K, IN> newSignals(SignalState<K> state, long timeToLive) {
        return new Signals<>(
                base.name, base.task, base.mailbox, base.host, base.counters, state, timeToLive);
    }

    private SignalDesk<K, IN> newSignalDesk() {
        return new SignalDesk<>(signals, scheduler, parkedKeys, inFlight, steps);
    }

    /** Writes what is in flight to the keyed state. Selects other keys. */
    void snapshot(long checkpointId, boolean savepoint) throws Exception {
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
    }

    /** Releases the calls that the checkpoint holds. */
    void checkpointCompleted(long checkpointId) {
        if (writeAhead != null) {
            writeAhead.complete(checkpointId);
        }
        if (checkpoints.completed(checkpointId)) {
            drain.checkpointCompleted();
        }
        if (gate.complete(checkpointId)) {
            base.requests.wake();
        }
    }

    /** Waits until nothing is in flight, as no input comes any more. */
    void finish() throws Exception {
        watch.inputEnded();
        steps.goOn();
        if (parkedCount() > 0) {
            LOG.info(
                    "The input of operator {} has ended; {} parked invocations are waited for.",
                    base.name,
                    parkedCount());
        }
        while (scheduler.hasInFlight() || parkedCount() > 0) {
            drain.requireCheckpoints();
            base.mailbox.yield();
        }
        if (signals != null) {
            signals.giveUpAll();
        }
    }

    /** Nothing runs or wakes any more. */
    void stop() {
        steps.stop();
        if (signals != null) {
            signals.stop();
        }
        if (parking != null) {
            parking.stop();
        }
    }

    /** How many invocations are parked; any thread. */
    int parkedCount() {
        return parking == null ? 0 : parking.parkedCount();
    }
}
