package pyflink.durable.state;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.Journal;
import pyflink.durable.log.LogEntry;

/** What the call log holds of one invocation: the newest state of each slot that it names. */
public final class RecoveredJournal {

    private final Owner owner;
    private final TreeMap<Integer, Call> calls = new TreeMap<>();
    private int clearedFrom = Integer.MAX_VALUE;

    RecoveredJournal(Owner owner) {
        this.owner = owner;
    }

    public Owner owner() {
        return owner;
    }

    public int size() {
        return calls.size();
    }

    /** Takes an entry in; to be called in the order of the appends. */
    void add(LogEntry entry) {
        if (entry.call().isPresent()) {
            calls.put(entry.slot(), entry.call().get());
        } else {
            calls.tailMap(entry.slot(), true).clear();
            clearedFrom = Math.min(clearedFrom, entry.slot());
        }
    }

    /**
     * Brings a journal that a checkpoint holds to the state of the log.
     *
     * @return how many slots were written
     * @throws IllegalStateException if slots are missing between the two: their calls would be made
     *     again
     */
    public int mergeInto(Journal journal) {
        if (clearedFrom < journal.size()) {
            journal.clearCallResultsFrom(clearedFrom);
        }
        int next = journal.size();
        if (!calls.isEmpty() && calls.lastKey() - calls.tailMap(next).size() + 1 > next) {
            throw new IllegalStateException(
                    String.format(
                            "The call log holds slots %s of an invocation, and the restored journal"
                                    + " ends at slot %d: what lies between has been deleted from"
                                    + " the log, as a newer checkpoint than the restored one held"
                                    + " it. Restore the newest checkpoint, or give the job a new"
                                    + " log: what was called since the restored one is then made"
                                    + " again.",
                            calls.keySet(), next));
        }
        calls.forEach(journal::recover);
        return calls.size();
    }

    /** The entries that say the same, in an order in which they may be added. */
    List<LogEntry> entries() {
        List<LogEntry> entries = new ArrayList<>();
        if (clearedFrom != Integer.MAX_VALUE) {
            entries.add(owner.entry(clearedFrom, null));
        }
        calls.forEach((slot, call) -> entries.add(owner.entry(slot, call)));
        return entries;
    }
}
