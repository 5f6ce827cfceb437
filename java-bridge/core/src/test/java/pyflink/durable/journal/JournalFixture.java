package pyflink.durable.journal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/** A journal, and a keyed state that it is saved to. */
abstract class JournalFixture {

    static final String F = "shop.charge";
    static final String G = "shop.refund";
    static final String X = "00000000000000aa";
    static final String Y = "00000000000000bb";
    static final byte[] RESULT = {1, 2, 3};
    static final byte[] ERROR = {9};

    /** A time at which calls end, in microseconds. */
    static final long T = 1_700_000_000_000_001L;

    final CursorJournal journal = new CursorJournal();

    /** A keyed state: what it holds, and which operations brought it there. */
    static final class SavedState implements JournalChanges {
        final TreeMap<Integer, Call> slots = new TreeMap<>();
        final List<String> operations = new ArrayList<>();

        @Override
        public void put(int slot, Call call) {
            slots.put(slot, call);
            operations.add("put " + slot);
        }

        @Override
        public void remove(int slot) {
            slots.remove(slot);
            operations.add("remove " + slot);
        }
    }

    final SavedState state = new SavedState();

    List<String> save() throws Exception {
        state.operations.clear();
        journal.saveChanges(state);
        return new ArrayList<>(state.operations);
    }

    static TreeMap<Integer, Call> saved(Journal journal) throws Exception {
        SavedState state = new SavedState();
        journal.saveChanges(state);
        return state.slots;
    }

    /** Those of a call. */
    static Object[] fields(Object... fields) {
        Object[] withKind = Arrays.copyOf(fields, fields.length + 1);
        withKind[fields.length] = "CALL";
        return withKind;
    }
}
