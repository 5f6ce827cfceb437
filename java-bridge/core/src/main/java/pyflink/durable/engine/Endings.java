package pyflink.durable.engine;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import javax.annotation.Nullable;
import pyflink.durable.state.UserState;

/**
 * Ends invocations whose handler has ended: emits their outputs, writes their state and drops their
 * journal, in the order in which they ended. Works on the task thread only.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>All of one invocation happens in one mail. A checkpoint in between would hold a journal
 *       whose outputs have been emitted, and the outputs would come twice.
 *   <li>Between two invocations there may be a checkpoint. A thousand outputs before a slow
 *       consumer held the task for 20 s in one mail, and the checkpoint, and the calls at the gate
 *       with it. So when the operators behind take no more, or a mail has emitted for {@link
 *       #MAIL_NANOS}, since a consumer in the same task blocks it, the rest waits for another mail.
 *   <li>What waits is in flight: its input and its journal are in the checkpoint, and after a
 *       failure it runs again, by replay.
 *   <li>A thread that the handler has left behind may still bring a call to the gate while the
 *       outputs wait; it leaves with the invocation. Let through later, it would take a place that
 *       nobody gives back.
 * </ul>
 */
final class Endings<K, IN> {

    private static final long MAIL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    /** An invocation whose handler has ended, with a part of the outputs of a step. */
    private static final class Ending<K, IN> {
        private final Invocation<K, IN> invocation;
        @Nullable private final Object[] stateNames;
        @Nullable private final Object[] stateValues;
        private final Object[] outputs;
        private final int from;
        private final int to;

        Ending(
                Invocation<K, IN> invocation,
                @Nullable Object[] stateNames,
                @Nullable Object[] stateValues,
                Object[] outputs,
                int from,
                int to) {
            this.invocation = invocation;
            this.stateNames = stateNames;
            this.stateValues = stateValues;
            this.outputs = outputs;
            this.from = from;
            this.to = to;
        }
    }

    private final FlinkTask task;
    private final RunningInvocations invocations;
    private final WatermarkHold watermarks;
    private final ParkedWatermarks<K, IN> parkedWatermarks;
    private final InvocationScheduler<K, IN> scheduler;
    private final Gate<K, IN> gate;
    private final Progress progress;
    private final UserState userState;
    private final LongSupplier nanoTime;
    private final Queue<Ending<K, IN>> endings = new ArrayDeque<>();

    Endings(
            FlinkTask task,
            RunningInvocations invocations,
            WatermarkHold watermarks,
            ParkedWatermarks<K, IN> parkedWatermarks,
            InvocationScheduler<K, IN> scheduler,
            Gate<K, IN> gate,
            Progress progress,
            UserState userState,
            LongSupplier nanoTime) {
        this.task = task;
        this.invocations = invocations;
        this.watermarks = watermarks;
        this.parkedWatermarks = parkedWatermarks;
        this.scheduler = scheduler;
        this.gate = gate;
        this.progress = progress;
        this.userState = userState;
        this.nanoTime = nanoTime;
    }

    /**
     * Takes in what has ended in a step.
     *
     * @param ended four fields each: invocation, place of its first output, names and values of
     *     what it wrote to its state
     */
    void add(Object[] ended, Object[] outputs) {
        for (int i = 0; i < ended.length; i += 4) {
            Invocation<K, IN> invocation = scheduler.running(((Number) ended[i]).longValue());
            invocation.markEnded();
            endings.add(
                    new Ending<>(
                            invocation,
                            (Object[]) ended[i + 2],
                            (Object[]) ended[i + 3],
                            outputs,
                            ((Number) ended[i + 1]).intValue(),
                            i + 4 < ended.length
                                    ? ((Number) ended[i + 5]).intValue()
                                    : outputs.length));
        }
    }

    /**
     * Ends invocations as long as there is room and time.
     *
     * @return when to go on; null if all have ended
     */
    @Nullable
    CompletableFuture<?> emit() throws Exception {
        long deadline = nanoTime.getAsLong() + MAIL_NANOS;
        boolean first = true;
        CompletableFuture<?> goOn = null;
        while (goOn == null && !endings.isEmpty()) {
            CompletableFuture<?> available = task.outputAvailable();
            boolean inTime = first || nanoTime.getAsLong() - deadline < 0;
            if (available.isDone() && inTime) {
                end(endings.remove());
                first = false;
            } else {
                goOn = available;
            }
        }
        if (goOn == null || goOn.isDone()) {
            watermarks.release();
        }
        return goOn;
    }

    private void end(Ending<K, IN> ending) throws Exception {
        Invocation<K, IN> invocation = ending.invocation;
        if (ending.stateNames != null && ending.stateValues != null) {
            task.setCurrentKey(invocation.key());
            for (int i = 0; i < ending.stateNames.length; i++) {
                userState.put((String) ending.stateNames[i], (byte[]) ending.stateValues[i]);
            }
        }
        task.emit(invocation.input().outputTimestamp(), ending.outputs, ending.from, ending.to);
        invocations.end(invocation);
        gate.end(invocation);
        scheduler.finish(invocation);
        if (invocation.isFromState()) {
            task.setCurrentKey(invocation.key());
            parkedWatermarks.finish(invocation.input());
        }
        progress.moved();
    }

    /** How many invocations wait until their outputs can be emitted. */
    int size() {
        return endings.size();
    }

    /** Their ids, from one of them on. */
    Object[] idsFrom(int first) {
        return endings.stream().skip(first).map(ending -> ending.invocation.id()).toArray();
    }
}
