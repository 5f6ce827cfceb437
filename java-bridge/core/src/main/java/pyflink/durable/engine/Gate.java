package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.annotation.Nullable;

/**
 * Where calls wait until a completed checkpoint holds their slots. A call that passes has left a
 * trace that every failover restores: it is found in doubt, and never blindly repeated.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>A call enters after its slot was written, through a queue that a snapshot empties
 *       <b>before</b> it saves the journals. A worker thread may write at any time: entered first,
 *       or taken from the queue after the saving, a call would be released by a checkpoint that
 *       does not hold its slot.
 *   <li>What was at the gate at a snapshot belongs to its checkpoint and is released by the
 *       completion of that one or of any later one. Keyed state is complete in each, so a later one
 *       holds the slot too. A checkpoint that is aborted, or whose notification is lost, therefore
 *       needs no care: the next one releases. (With the news of an aborted one Flink repeats that
 *       of the last completed one; that, too, is simply a completion.)
 *   <li>A savepoint releases nothing. Flink does not restore it after a failure: only checkpoints
 *       go to the store that a failover restores from ({@code
 *       CheckpointCoordinator.completePendingCheckpoint}). It does not tell operators of a
 *       savepoint's completion, but for the one of {@code stop}. When a task fails between that one
 *       and the end of the job, the job goes back to the last checkpoint: a call released by the
 *       savepoint would run again. So only a checkpoint that this attempt has taken counts.
 *   <li>A slot that is written again or dropped takes its call from the gate, and so does the end
 *       of its invocation. Released later, it would start a call that nobody waits for, or another
 *       one that took its slot.
 *   <li>An invocation with a call at the gate gives its place in {@code max_in_flight} away, even
 *       if other calls of it run. A place that waits for a checkpoint could keep the operator full,
 *       and a full operator the checkpoint away.
 *   <li>A released call goes on without a place. Those that have the places may wait for what its
 *       invocation holds, such as one of the threads of {@code def} handlers or a lock: with both
 *       waiting, nothing ever moved again. The invocation is there already, and new ones start only
 *       when there is a place. The outside has a brake of its own, at the starts of calls.
 *   <li>Released calls are told in portions. Thousands in one step would hold the task, and keep
 *       the next checkpoint waiting.
 * </ul>
 *
 * <p>Works on the task thread, but where it is said.
 */
final class Gate<K, IN> {

    /** A call at the gate; holds are numbered in the order in which they entered. */
    private static final class Hold<K, IN> {
        private final Invocation<K, IN> invocation;
        private final int slot;
        private final long number;

        Hold(Invocation<K, IN> invocation, int slot, long number) {
            this.invocation = invocation;
            this.slot = slot;
            this.number = number;
        }
    }

    /** The slots of an invocation that are at the gate, and those that were and are not told. */
    private static final class Slots<K, IN> {
        private final TreeMap<Integer, Hold<K, IN>> held = new TreeMap<>();
        private final TreeSet<Integer> released = new TreeSet<>();
    }

    private final InvocationScheduler<K, IN> scheduler;
    private final Queue<Runnable> changes = new ConcurrentLinkedQueue<>();
    private volatile boolean used;

    private final Map<Invocation<K, IN>, Slots<K, IN>> slots = new HashMap<>();
    private final Set<Hold<K, IN>> holds = new LinkedHashSet<>();
    private long entered;

    /** How many holds had entered at the snapshot of each checkpoint that may still complete. */
    private final TreeMap<Long, Long> checkpoints = new TreeMap<>();

    /** Invocations with released slots that are not told yet. */
    private final Set<Invocation<K, IN>> goOn = new LinkedHashSet<>();

    Gate(InvocationScheduler<K, IN> scheduler) {
        this.scheduler = scheduler;
    }

    // ------------------------------------------------------------------ any thread

    /** Has a call wait for a checkpoint; its slot must have been written. */
    void enter(Invocation<K, IN> invocation, int slot) {
        used = true;
        changes.add(() -> hold(invocation, slot));
    }

    /** Takes the calls of a range of slots from the gate, if they are there. */
    void leave(Invocation<K, IN> invocation, int firstSlot, int lastSlot) {
        if (used) {
            changes.add(() -> drop(invocation, firstSlot, lastSlot));
        }
    }

    // ------------------------------------------------------------------ changes

    /** Does what has been put in the queue. */
    void applyChanges() {
        Runnable change;
        while ((change = changes.poll()) != null) {
            change.run();
        }
    }

    private void hold(Invocation<K, IN> invocation, int slot) {
        if (!scheduler.isRunning(invocation)) {
            return; // it ended before its change was met
        }
        Slots<K, IN> own = slots.computeIfAbsent(invocation, key -> new Slots<>());
        forget(own, slot, slot);
        Hold<K, IN> hold = new Hold<>(invocation, slot, entered++);
        own.held.put(slot, hold);
        holds.add(hold);
        scheduler.holdAtGate(invocation);
        settle(invocation, own);
    }

    private void drop(Invocation<K, IN> invocation, int firstSlot, int lastSlot) {
        Slots<K, IN> own = slots.get(invocation);
        if (own != null) {
            forget(own, firstSlot, lastSlot);
            settle(invocation, own);
        }
    }

    private void forget(Slots<K, IN> own, int firstSlot, int lastSlot) {
        Map<Integer, Hold<K, IN>> dropped = own.held.subMap(firstSlot, true, lastSlot, true);
        dropped.values().forEach(holds::remove);
        dropped.clear();
        own.released.subSet(firstSlot, true, lastSlot, true).clear();
    }

    /** Has an invocation be told what was released, and run again if nothing of it is held. */
    private void settle(Invocation<K, IN> invocation, Slots<K, IN> own) {
        if (own.released.isEmpty()) {
            goOn.remove(invocation);
        } else {
            goOn.add(invocation);
        }
        if (own.held.isEmpty()) {
            scheduler.releaseFromGate(invocation);
            if (own.released.isEmpty()) {
                slots.remove(invocation);
            }
        }
    }

    /** Takes away all calls of an invocation that ends. */
    void end(Invocation<K, IN> invocation) {
        Slots<K, IN> own = slots.remove(invocation);
        if (own != null) {
            own.held.values().forEach(holds::remove);
            goOn.remove(invocation);
        }
    }

    // ------------------------------------------------------------------ checkpoints

    /** What is at the gate is in the snapshot that has just been saved for this checkpoint. */
    void snapshotTaken(long checkpoint) {
        if (holds.isEmpty()) {
            checkpoints.clear();
        } else {
            checkpoints.put(checkpoint, entered);
        }
    }

    /**
     * Releases what the checkpoint holds; nothing, if the id is of something else.
     *
     * @return whether anything was released
     */
    boolean complete(long checkpoint) {
        Long covered = checkpoints.get(checkpoint);
        if (covered == null) {
            return false;
        }
        checkpoints.headMap(checkpoint, true).clear();
        applyChanges();
        Set<Invocation<K, IN>> touched = new LinkedHashSet<>();
        Iterator<Hold<K, IN>> inOrder = holds.iterator();
        while (inOrder.hasNext()) {
            Hold<K, IN> hold = inOrder.next();
            if (hold.number >= covered) {
                break;
            }
            inOrder.remove();
            Slots<K, IN> own = slots.get(hold.invocation);
            own.held.remove(hold.slot);
            own.released.add(hold.slot);
            touched.add(hold.invocation);
        }
        touched.forEach(invocation -> settle(invocation, slots.get(invocation)));
        return !touched.isEmpty();
    }

    /**
     * Takes released slots, in the order in which they came to the gate.
     *
     * @param invocations of how many at the most; of each all
     * @return three fields each: invocation, slot, null; null if there are none
     */
    @Nullable
    Object[] takeReleased(int invocations) {
        applyChanges(); // a released slot may have been written again since
        if (goOn.isEmpty()) {
            return null;
        }
        List<Object> released = new ArrayList<>();
        Iterator<Invocation<K, IN>> inOrder = goOn.iterator();
        for (int i = 0; i < invocations && inOrder.hasNext(); i++) {
            Invocation<K, IN> invocation = inOrder.next();
            inOrder.remove();
            Slots<K, IN> own = slots.get(invocation);
            for (Integer slot : own.released) {
                released.add(invocation.id());
                released.add(slot);
                released.add(null);
            }
            own.released.clear();
            if (own.held.isEmpty()) {
                slots.remove(invocation);
            }
        }
        return released.toArray();
    }

    /** Whether there are released slots to be taken. */
    boolean hasReleased() {
        return !goOn.isEmpty();
    }

    /** The slots of an invocation that are at the gate. */
    BitSet slotsOf(Invocation<K, IN> invocation) {
        BitSet held = new BitSet();
        Slots<K, IN> own = slots.get(invocation);
        if (own != null) {
            own.held.keySet().forEach(held::set);
        }
        return held;
    }

    /** How many calls wait here. */
    int size() {
        return holds.size();
    }
}
