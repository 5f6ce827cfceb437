package pyflink.durable.state;

import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import pyflink.durable.log.LogEntry;

/**
 * What was recovered of invocations that have not started again: their inputs have not come back,
 * or wait in line. Works on the task thread.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>A checkpoint holds what is unclaimed at its snapshot, so that all that was read may be
 *       deleted when it completes. Were it appended to the log again instead, that append could be
 *       under way, or fail, while a sibling deletes the segment which both have read.
 *   <li>It is written once, not at each snapshot: an input that never comes back would cost as much
 *       at every checkpoint.
 *   <li>What an invocation has claimed is taken from the state with the snapshot that saves its
 *       journal. Left there, it would come on top of a later invocation's.
 *   <li>Of two inputs that had the same name one after another, the later counts: the first had
 *       been dropped when the second came in its place.
 * </ul>
 */
public final class Unclaimed<K> {

    private final UnclaimedState<K> state;
    private final Map<List<Object>, RecoveredJournal> journals = new HashMap<>();
    private final Set<List<Object>> unsaved = new LinkedHashSet<>();

    /** Those that the state holds, in this form or in an older one. */
    private final Map<List<Object>, Owner> saved = new HashMap<>();

    public Unclaimed(UnclaimedState<K> state) {
        this.state = state;
    }

    /** Takes in what the restored checkpoint holds; before that of the log, which is newer. */
    public void restore() throws Exception {
        Set<List<Object>> names = new HashSet<>();
        state.forEach(
                entry -> {
                    add(entry);
                    Owner owner = Owner.of(entry);
                    saved.put(owner.name(), owner);
                    names.add(owner.name());
                });
        unsaved.removeAll(names);
    }

    /** Takes an entry in; to be called in the order of the appends. */
    public void add(LogEntry entry) {
        Owner owner = Owner.of(entry);
        RecoveredJournal journal = journals.get(owner.name());
        if (journal == null || !journal.owner().inputDigest().equals(owner.inputDigest())) {
            journal = new RecoveredJournal(owner);
            journals.put(owner.name(), journal);
        }
        journal.add(entry);
        unsaved.add(owner.name());
    }

    @Nullable
    public RecoveredJournal get(Owner owner) {
        return journals.get(owner.name());
    }

    public void remove(Owner owner) {
        journals.remove(owner.name());
        if (saved.containsKey(owner.name())) {
            unsaved.add(owner.name());
        } else {
            unsaved.remove(owner.name());
        }
    }

    /** Brings the state up to date; selects other keys. */
    public void saveChanges() throws Exception {
        for (List<Object> name : unsaved) {
            RecoveredJournal journal = journals.get(name);
            if (journal == null) {
                state.remove(saved.remove(name));
            } else {
                state.put(journal);
                saved.put(name, journal.owner());
            }
        }
        unsaved.clear();
    }

    /** The keys, serialized, of invocations of which there is something. */
    public List<byte[]> keys() {
        return journals.values().stream()
                .map(journal -> journal.owner().key())
                .collect(Collectors.toList());
    }

    /** Of how many invocations there is something. */
    public int size() {
        return journals.size();
    }
}
