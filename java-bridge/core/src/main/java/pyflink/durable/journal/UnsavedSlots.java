package pyflink.durable.journal;

import java.util.BitSet;
import java.util.List;

/** What the next snapshot has to write of a {@link Journal}, whose lock guards it. */
final class UnsavedSlots {

    private final BitSet written = new BitSet();

    /** How many slots the last snapshot holds. */
    private int savedSize;

    UnsavedSlots(int savedSize) {
        this.savedSize = savedSize;
    }

    int savedSize() {
        return savedSize;
    }

    void written(int slot) {
        written.set(slot);
    }

    /** Slots were dropped; so many are left. */
    void dropped(int size) {
        written.clear(size, Math.max(size, written.length()));
    }

    /** Whether there is anything, for a journal of so many slots. */
    boolean any(int size) {
        return !written.isEmpty() || size < savedSize;
    }

    /** Hands it over, and forgets it. */
    void save(List<Call> slots, JournalChanges changes) throws Exception {
        for (int slot = written.nextSetBit(0); slot >= 0; slot = written.nextSetBit(slot + 1)) {
            changes.put(slot, slots.get(slot));
        }
        for (int slot = slots.size(); slot < savedSize; slot++) {
            changes.remove(slot);
        }
        written.clear();
        savedSize = slots.size();
    }
}
