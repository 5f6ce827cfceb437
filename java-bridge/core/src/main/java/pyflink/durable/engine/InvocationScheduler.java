package pyflink.durable.engine;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.annotation.Nullable;
import pyflink.durable.engine.Invocation.Stage;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.Input;
import pyflink.durable.state.ParkedState;

/**
 * Decides which invocation runs when: one at a time per key, in order of arrival; different keys
 * concurrently. Knows what a snapshot has to write. Works on the task thread only.
 *
 * <p>{@code max_in_flight} bounds at how many running invocations a further one starts. Those with
 * a call at the {@link Gate} do not count; when they are let through they run, and may be more for
 * a while. What is beyond, and what has not started, counts against {@code max_pending}. No more
 * are started than both together: what waits at the gate is thousands of handlers with their
 * contexts, and an operator that takes in more (see {@link Valve}) keeps it as inputs.
 *
 * <p>An input is in memory from its acceptance to the end of its invocation, and is written to the
 * keyed state only by a snapshot that meets it on the way: of what starts and ends between two
 * checkpoints, nothing is written but the key's next sequence number.
 */
final class InvocationScheduler<K, IN> {

    /**
     * How many idle keys are kept until the next snapshot for the sake of their sequence numbers.
     * Bounds the memory of a job without checkpoints, or with rare ones.
     */
    private static final int MAX_IDLE_LANES = 50_000;

    private final InFlightState<K, IN> state;
    private final WatermarkHold watermarks;
    private final int maxInFlight;
    private final int maxPending;

    private final Map<K, KeyLane<K, IN>> lanes = new HashMap<>();
    private final Map<Long, Invocation<K, IN>> running = new HashMap<>();
    private final Deque<KeyLane<K, IN>> ready = new ArrayDeque<>();
    private final Set<KeyLane<K, IN>> changed = new LinkedHashSet<>();
    private long nextId;
    private int accepted;
    private int active;
    private int woken;

    InvocationScheduler(
            InFlightState<K, IN> state, WatermarkHold watermarks, int maxInFlight, int maxPending) {
        this.state = state;
        this.watermarks = watermarks;
        this.maxInFlight = maxInFlight;
        this.maxPending = maxPending;
    }

    /** Takes an input in, behind the others of its key. The key must be selected in the state. */
    void accept(K key, @Nullable Long timestamp, IN value) throws Exception {
        KeyLane<K, IN> lane = lanes.get(key);
        if (lane == null) {
            lane = new KeyLane<>(key, state.nextSequence());
            lanes.put(key, lane);
        }
        Input<IN> input = state.accept(lane.takeSequence(), timestamp, value);
        changed.add(lane);
        enqueue(new Invocation<>(nextId++, lane, input, watermarks.enter(timestamp), null));
    }

    /** Takes in again what was in flight at the checkpoint that the job was restored from. */
    int restore() throws Exception {
        for (K key : state.keysInFlight()) {
            state.selectKey(key);
            TreeMap<Long, Input<IN>> inputs = state.restoreInputs();
            if (!inputs.isEmpty()) {
                restore(key, inputs, state.nextSequence(inputs));
            }
        }
        return accepted;
    }

    /** Takes in the inputs of the selected key, which stand in the state; the first has begun. */
    private KeyLane<K, IN> restore(K key, TreeMap<Long, Input<IN>> inputs, long nextSequence)
            throws Exception {
        KeyLane<K, IN> lane = new KeyLane<>(key, nextSequence);
        lanes.put(key, lane);
        for (Input<IN> input : inputs.values()) {
            Invocation<K, IN> invocation =
                    new Invocation<>(
                            nextId++,
                            lane,
                            input,
                            watermarks.enter(input.outputTimestamp()),
                            lane.isEmpty() ? state.restoreJournal() : null);
            invocation.markSaved();
            invocation.markFromState();
            enqueue(invocation);
        }
        return lane;
    }

    /** Puts a running invocation, and all that waits behind it, into the state alone. */
    KeyLane<K, IN> park(
            Invocation<K, IN> invocation, ParkedState<K, IN> parked, ParkedWatermarks<K, IN> held)
            throws Exception {
        KeyLane<K, IN> lane = invocation.lane();
        running.remove(invocation.id());
        leaveStage(invocation);
        accepted -= lane.size();
        lane.park(state, parked, held);
        for (Invocation<K, IN> one : lane.invocations()) {
            watermarks.finish(one.watermarks());
        }
        lanes.remove(lane.key());
        changed.remove(lane);
        return lane;
    }

    /** Puts what was parked of the selected key in line again. */
    void wake(K key, TreeMap<Long, Input<IN>> inputs, long nextSequence) throws Exception {
        restore(key, inputs, nextSequence).head().setWoken(true);
        woken++;
    }

    /** How many were parked, and wait in line to go on. */
    int wokenCount() {
        return woken;
    }

    @Nullable
    KeyLane<K, IN> lane(K key) {
        return lanes.get(key);
    }

    /** Whether another invocation may run. */
    boolean hasPlace() {
        return active < maxInFlight;
    }

    private void enqueue(Invocation<K, IN> invocation) {
        KeyLane<K, IN> lane = invocation.lane();
        lane.add(invocation);
        accepted++;
        if (lane.head() == invocation) {
            ready.addLast(lane);
        }
    }

    /** How many wait for nothing but a place. */
    int readyCount() {
        return ready.size();
    }

    /** The next invocation that may start, counted as running then; null if none may. */
    @Nullable
    Invocation<K, IN> startNext() {
        if (ready.isEmpty()
                || active >= maxInFlight
                || running.size() >= (long) maxInFlight + maxPending) {
            return null;
        }
        KeyLane<K, IN> lane = ready.removeFirst();
        lane.startHead();
        activate(lane.head());
        running.put(lane.head().id(), lane.head());
        woken -= lane.head().setWoken(false) ? 1 : 0;
        return lane.head();
    }

    private void activate(Invocation<K, IN> invocation) {
        invocation.setStage(Stage.ACTIVE);
        active++;
    }

    /** A call of a running invocation is at the gate: another may start in its place. */
    void holdAtGate(Invocation<K, IN> invocation) {
        if (invocation.stage() != Stage.AT_GATE) {
            leaveStage(invocation);
            invocation.setStage(Stage.AT_GATE);
        }
    }

    /** No call of it is at the gate any more: it runs, whether there is a place or not. */
    void releaseFromGate(Invocation<K, IN> invocation) {
        if (invocation.stage() == Stage.AT_GATE) {
            leaveStage(invocation);
            activate(invocation);
        }
    }

    private void leaveStage(Invocation<K, IN> invocation) {
        if (invocation.stage() == Stage.IN_LINE) {
            throw new IllegalStateException("Invocation " + invocation.id() + " waits in line.");
        }
        if (invocation.stage() == Stage.ACTIVE) {
            active--;
        }
    }

    /** The running invocation of a key; null if none runs. */
    @Nullable
    Invocation<K, IN> runningOf(K key) {
        KeyLane<K, IN> lane = lanes.get(key);
        return lane != null && lane.headRuns() ? lane.head() : null;
    }

    /** Whether it has started and not ended. */
    boolean isRunning(Invocation<K, IN> one) {
        return running.get(one.id()) == one;
    }

    /** The running invocation of this id. */
    Invocation<K, IN> running(long id) {
        Invocation<K, IN> invocation = running.get(id);
        if (invocation == null) {
            throw new IllegalStateException(
                    "Invocation " + id + " is not running: it has ended, or never started.");
        }
        return invocation;
    }

    /** Ends a running invocation: its input and journal are dropped, the next of its key is up. */
    void finish(Invocation<K, IN> invocation) throws Exception {
        KeyLane<K, IN> lane = invocation.lane();
        running.remove(invocation.id());
        leaveStage(invocation);
        accepted--;
        watermarks.finish(invocation.watermarks());
        lane.finishHead();
        changed.add(lane);
        if (!lane.isEmpty()) {
            ready.addLast(lane);
        } else if (lanes.size() - accepted > MAX_IDLE_LANES) {
            save(lane);
            changed.remove(lane);
        }
    }

    /** Writes to the keyed state what has changed since the last snapshot. */
    void saveChanges() throws Exception {
        for (Invocation<K, IN> invocation : running.values()) {
            if (invocation.hasJournalChanges()) {
                changed.add(invocation.lane());
            }
        }
        for (KeyLane<K, IN> lane : changed) {
            save(lane);
        }
        changed.clear();
    }

    private void save(KeyLane<K, IN> lane) throws Exception {
        lane.saveChanges(state);
        if (lane.isEmpty()) {
            lanes.remove(lane.key());
        }
    }

    /** Whether no further input is to be taken in. */
    boolean isFull() {
        return pendingCount() >= maxPending;
    }

    /** Whether so many times as many inputs wait as make it full. */
    boolean isOverfull(int times) {
        return pendingCount() >= (long) times * maxPending;
    }

    /** What counts against {@code max_pending}. */
    private int pendingCount() {
        return accepted - Math.min(active, maxInFlight);
    }

    boolean hasInFlight() {
        return accepted > 0;
    }

    int inFlightCount() {
        return accepted;
    }

    /** What has started and not ended. */
    Collection<Invocation<K, IN>> running() {
        return running.values();
    }

    /** How many invocations run, and are not at the gate. */
    int runningCount() {
        return active;
    }

    int waitingCount() {
        return accepted - active;
    }
}
