package pyflink.durable.journal;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SortedMap;
import javax.annotation.Nullable;

/**
 * The ordered slots of one invocation, which hold its calls and what is {@linkplain SlotKind not a
 * call}. The methods that end in <b>At</b> name the slot, since calls run at the same time and end
 * in any order; see {@link CursorJournal} for calls made one after another.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>A slot is only filled at the end of the journal. A call that could leave a hole would,
 *       after a restore, shift every later call by one and answer it with its neighbour's result.
 *   <li>A terminal slot never changes. A late completion (an abandoned thread, a second delivery)
 *       would replace the outcome that the handler has already acted upon.
 *   <li>A call is finalized, started again or scheduled again only where its own PENDING stands.
 *       Otherwise the result of a call of a dropped tail would answer the call that took its place.
 *   <li>Dropping a slot drops all after it: they were reached by a path that the handler no longer
 *       takes.
 * </ul>
 *
 * <p>Thread-safe: a {@code def} handler writes from its worker thread while the task thread takes a
 * snapshot.
 */
public class Journal {

    private final List<Call> slots;
    private final UnsavedSlots unsaved;

    /** Slots whose call this attempt has announced, in contrast to what it found. */
    private final BitSet begun = new BitSet(0);

    private int writes;
    private int completions;
    private long began = Call.NO_TIME;

    /** A journal with no calls yet. */
    public Journal() {
        this(new ArrayList<>(2));
    }

    Journal(List<Call> saved) {
        this.slots = saved;
        this.unsaved = new UnsavedSlots(saved.size());
        for (Call call : saved) {
            completions = Math.max(completions, call.completion() + 1);
        }
        if (!saved.isEmpty()) {
            began = saved.get(0).invocationBegan();
        }
    }

    /**
     * The journal as a snapshot left it.
     *
     * @param saved the calls by slot
     * @throws IllegalStateException if slots are missing in between: answering later calls from a
     *     journal with a hole would answer them wrongly
     */
    public static Journal restore(SortedMap<Integer, Call> saved) {
        return new Journal(withoutHoles(saved));
    }

    static List<Call> withoutHoles(SortedMap<Integer, Call> saved) {
        if (!saved.isEmpty() && (saved.firstKey() != 0 || saved.lastKey() != saved.size() - 1)) {
            throw new IllegalStateException(
                    "The restored journal has slots missing: it holds "
                            + saved.keySet()
                            + ". The state is damaged; restore an older checkpoint.");
        }
        return new ArrayList<>(saved.values());
    }

    /** What is in a slot, as {@link Call#fields()}; null if nothing is. */
    @Nullable
    public synchronized Object[] getCallResultFieldsAt(int slot) {
        return slot < slots.size() ? slots.get(slot).fields() : null;
    }

    /**
     * Tells when the invocation began, before its first write; the first slot keeps it.
     *
     * @param micros since the epoch; {@link Call#NO_TIME} tells nothing
     */
    public synchronized void begin(long micros) {
        if (micros != Call.NO_TIME) {
            began = micros;
        }
    }

    /**
     * Puts a call that has already completed in the slot behind the last one.
     *
     * @param endedAt when the outcome came, in microseconds since the epoch
     * @param repeatable see {@link Call#repeatable}
     */
    public synchronized void recordCallCompletionAt(
            int slot,
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception,
            long endedAt,
            boolean repeatable) {
        requireEnd(slot, functionId);
        Call call =
                Call.pending(functionId, argsDigest, Call.FIRST_ATTEMPT)
                        .ended(result, exception, completions++, endedAt);
        put(slot, call.repeatable(repeatable));
    }

    /**
     * Puts a pending call in the slot behind the last one.
     *
     * @param repeatable see {@link Call#repeatable}
     */
    public synchronized void appendPendingCallAt(
            int slot, String functionId, String argsDigest, boolean repeatable) {
        requireEnd(slot, functionId);
        put(slot, Call.pending(functionId, argsDigest, Call.FIRST_ATTEMPT).repeatable(repeatable));
        begun.set(slot);
    }

    /** Starts the pending call in a slot again: it is no longer scheduled, and in doubt. */
    public synchronized void startAttemptAt(
            int slot, String functionId, String argsDigest, int attempt) {
        Call call = requirePending(slot, functionId, argsDigest, "attempt " + attempt);
        put(slot, Call.pending(functionId, argsDigest, attempt).repeatable(call.repeatable()));
        begun.set(slot);
    }

    /**
     * Has a call wait for its time, in the slot behind the last one or in its own pending one.
     *
     * @param attempt the number that its start will have
     * @param due when it is to start, in milliseconds since the epoch
     * @param repeatable see {@link Call#repeatable}
     */
    public synchronized void scheduleCallAt(
            int slot,
            String functionId,
            String argsDigest,
            int attempt,
            long due,
            boolean repeatable) {
        if (due < 0) {
            throw new IllegalArgumentException(
                    functionId + " cannot be scheduled for " + due + ", before the epoch.");
        }
        if (slot < slots.size()) {
            requirePending(slot, functionId, argsDigest, "the schedule");
        } else {
            requireEnd(slot, functionId);
        }
        put(slot, Call.scheduled(functionId, argsDigest, attempt, due).repeatable(repeatable));
    }

    /**
     * Opens something else than a call in the slot behind the last one, to be finalized when it is
     * filled.
     *
     * @param name that of the signals that are waited for; empty for other kinds
     * @param due when it is filled at the latest, in milliseconds since the epoch
     * @param repeatable whether nothing is lost when the slot is dropped
     */
    public synchronized void openAt(
            int slot, SlotKind kind, String name, long due, boolean repeatable) {
        requireEnd(slot, kind.name());
        put(slot, Call.opened(kind, name, due).repeatable(repeatable));
    }

    /**
     * Makes the pending call in a slot terminal. The attempt stays, so that the journal tells which
     * one had this outcome.
     *
     * @param endedAt when the outcome came, in microseconds since the epoch
     */
    public synchronized void finalizeCallAt(
            int slot,
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception,
            long endedAt) {
        Call pending = requirePending(slot, functionId, argsDigest, "the outcome");
        put(slot, pending.ended(result, exception, completions++, endedAt));
    }

    private void put(int slot, Call call) {
        Call kept = slot == 0 ? call.ofInvocationThatBegan(began) : call;
        if (slot < slots.size()) {
            slots.set(slot, kept);
        } else {
            slots.add(kept);
        }
        unsaved.written(slot);
        writes++;
    }

    /** Drops a slot and all after it. */
    public synchronized void clearCallResultsFrom(int slot) {
        writes++;
        while (slots.size() > slot) {
            slots.remove(slots.size() - 1);
        }
        unsaved.dropped(slots.size());
        begun.clear(slots.size(), Math.max(slots.size(), begun.length()));
    }

    /** The call in a slot. */
    public synchronized Call callAt(int slot) {
        return slots.get(slot);
    }

    /**
     * Puts a slot into the state that the call log holds of it, which is newer than that of the
     * checkpoint or the same.
     *
     * @throws IllegalStateException if the slot would leave a hole before it
     */
    public synchronized void recover(int slot, Call call) {
        if (slot >= slots.size()) {
            requireEnd(slot, call.functionId());
        }
        if (slot == 0) {
            began = call.invocationBegan();
        }
        put(slot, call);
        completions = Math.max(completions, call.completion() + 1);
    }

    /** The slots whose call this attempt has announced; those in doubt are not among them. */
    public synchronized BitSet begun() {
        return (BitSet) begun.clone();
    }

    /** How often this attempt has written to it. */
    public synchronized int writes() {
        return writes;
    }

    /** How many slots are filled. */
    public synchronized int size() {
        return slots.size();
    }

    private void requireEnd(int slot, String functionId) {
        if (slot != slots.size()) {
            throw new IllegalStateException(
                    String.format(
                            "%s cannot be put in slot %d of a journal of %d calls: a slot is only"
                                    + " filled behind the last one.",
                            functionId, slot, slots.size()));
        }
    }

    private Call requirePending(int slot, String functionId, String argsDigest, String what) {
        Call call = slot < slots.size() ? slots.get(slot) : null;
        if (call == null
                || call.status().isTerminal()
                || !call.hasIdentity(functionId, argsDigest)) {
            throw new IllegalStateException(
                    String.format(
                            "Slot %d cannot take %s of %s(%s): it holds %s.",
                            slot, what, functionId, argsDigest, call == null ? "nothing" : call));
        }
        return call;
    }

    // ------------------------------------------------------------------ snapshots

    /** Hands over what has changed since the last snapshot, and forgets the changes. */
    public synchronized void saveChanges(JournalChanges changes) throws Exception {
        unsaved.save(slots, changes);
    }

    /** Whether the next {@link #saveChanges} would write anything. */
    public synchronized boolean hasChanges() {
        return unsaved.any(slots.size());
    }

    /** How many slots the last snapshot holds. */
    public synchronized int savedSize() {
        return unsaved.savedSize();
    }

    /** The calls in order of their slots; for the dead letter of a failed handler. */
    public synchronized List<Call> calls() {
        return new ArrayList<>(slots);
    }
}
