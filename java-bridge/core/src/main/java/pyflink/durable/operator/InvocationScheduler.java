package pyflink.durable.operator;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.annotation.Nullable;

/**
 * Decides which invocation runs when: one at a time per key, in order of arrival; different keys
 * concurrently, up to a limit. Knows what a snapshot has to write. Works on the task thread only.
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
        Input<IN> input = new Input<>(lane.takeSequence(), timestamp, value);
        changed.add(lane);
        enqueue(new Invocation<>(nextId++, lane, input, watermarks.enter(), null));
    }

    /** Takes in again what was in flight at the checkpoint that the job was restored from. */
    int restore() throws Exception {
        for (K key : state.keysInFlight()) {
            state.selectKey(key);
            TreeMap<Long, Input<IN>> inputs = state.restoreInputs();
            if (inputs.isEmpty()) {
                continue;
            }
            KeyLane<K, IN> lane = new KeyLane<>(key, state.nextSequence());
            lanes.put(key, lane);
            for (Input<IN> input : inputs.values()) {
                Invocation<K, IN> invocation =
                        new Invocation<>(
                                nextId++,
                                lane,
                                input,
                                watermarks.enter(),
                                lane.isEmpty() ? state.restoreJournal() : null);
                invocation.markSaved();
                enqueue(invocation);
            }
        }
        return accepted;
    }

    private void enqueue(Invocation<K, IN> invocation) {
        KeyLane<K, IN> lane = invocation.lane();
        lane.add(invocation);
        accepted++;
        if (lane.head() == invocation) {
            ready.addLast(lane);
        }
    }

    /** The next invocation that may start, now counted as running; null if none may. */
    @Nullable
    Invocation<K, IN> startNext() {
        if (ready.isEmpty() || running.size() >= maxInFlight) {
            return null;
        }
        KeyLane<K, IN> lane = ready.removeFirst();
        lane.startHead();
        running.put(lane.head().id(), lane.head());
        return lane.head();
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
        accepted--;
        invocation.epoch().finishOne();
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
        return accepted - running.size() >= maxPending;
    }

    boolean hasInFlight() {
        return accepted > 0;
    }

    int runningCount() {
        return running.size();
    }

    int waitingCount() {
        return accepted - running.size();
    }
}
