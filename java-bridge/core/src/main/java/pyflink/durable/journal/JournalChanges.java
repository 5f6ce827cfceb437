package pyflink.durable.journal;

/** Where a snapshot writes what has changed in a {@link Journal} since the last one. */
public interface JournalChanges {

    /** The slot is new or has a new status. */
    void put(int slot, Call call) throws Exception;

    /** The slot was dropped. */
    void remove(int slot) throws Exception;
}
