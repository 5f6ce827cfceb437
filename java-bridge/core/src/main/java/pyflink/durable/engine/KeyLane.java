package pyflink.durable.engine;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import javax.annotation.Nullable;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.ParkedState;

/**
 * The invocations of one key, in the order in which their inputs arrived. The head may run, the
 * others wait: calls for the same customer never overtake each other.
 *
 * <p>Remembers what the next snapshot has to write for this key and what it has to take away.
 */
final class KeyLane<K, IN> {

    private final K key;
    private final Deque<Invocation<K, IN>> invocations = new ArrayDeque<>(2);
    private long nextSequence;
    private boolean headRuns;

    private boolean sequenceChanged;
    private final List<Long> inputsToDrop = new ArrayList<>(0);
    private int slotsToDrop;

    KeyLane(K key, long nextSequence) {
        this.key = key;
        this.nextSequence = nextSequence;
    }

    K key() {
        return key;
    }

    long takeSequence() {
        sequenceChanged = true;
        return nextSequence++;
    }

    long nextSequence() {
        return nextSequence;
    }

    Iterable<Invocation<K, IN>> invocations() {
        return invocations;
    }

    void add(Invocation<K, IN> invocation) {
        invocations.addLast(invocation);
    }

    @Nullable
    Invocation<K, IN> head() {
        return invocations.peekFirst();
    }

    int size() {
        return invocations.size();
    }

    boolean isEmpty() {
        return invocations.isEmpty();
    }

    boolean headRuns() {
        return headRuns;
    }

    void startHead() {
        headRuns = true;
    }

    /** Takes the finished head away; its traces in the keyed state go with the next snapshot. */
    void finishHead() {
        Invocation<K, IN> finished = invocations.removeFirst();
        headRuns = false;
        if (finished.isSaved()) {
            inputsToDrop.add(finished.input().sequence());
            slotsToDrop = Math.max(slotsToDrop, finished.savedSlots());
        }
    }

    /** Writes what has changed of this key since the last snapshot. */
    void saveChanges(InFlightState<K, IN> state) throws Exception {
        state.selectKey(key);
        dropEnded(state);
        for (Invocation<K, IN> invocation : invocations) {
            if (!invocation.isSaved()) {
                state.putInput(invocation.input());
                invocation.markSaved();
            }
        }
        saveJournalAndSequence(state);
    }

    /** Writes all of this key, with its inputs among those that are parked. */
    void park(
            InFlightState<K, IN> state,
            ParkedState<K, IN> parked,
            ParkedWatermarks<K, IN> watermarks)
            throws Exception {
        state.selectKey(key);
        dropEnded(state);
        for (Invocation<K, IN> invocation : invocations) {
            if (invocation.isSaved()) {
                state.dropInput(invocation.input().sequence());
            }
            parked.putInput(invocation.input());
            watermarks.park(invocation.input());
        }
        saveJournalAndSequence(state);
    }

    private void dropEnded(InFlightState<K, IN> state) throws Exception {
        for (Long sequence : inputsToDrop) {
            state.dropInput(sequence);
        }
        inputsToDrop.clear();
        state.dropSlots(slotsToDrop);
        slotsToDrop = 0;
    }

    private void saveJournalAndSequence(InFlightState<K, IN> state) throws Exception {
        if (headRuns && head().hasJournalChanges()) {
            head().journal().saveChanges(state);
        }
        if (sequenceChanged) {
            state.putNextSequence(nextSequence);
            sequenceChanged = false;
        }
    }
}
