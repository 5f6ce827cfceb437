package pyflink.durable.engine;

import java.util.concurrent.atomic.AtomicInteger;
import javax.annotation.Nullable;
import pyflink.durable.journal.Journal;
import pyflink.durable.state.Input;
import pyflink.durable.state.Owner;

/** One run of the handler for one input; it waits in its {@link KeyLane} until its turn comes. */
public final class Invocation<K, IN> {

    /** Where an invocation stands, for the limits of the operator. */
    enum Stage {
        /** It waits for its key, or for a place in {@code max_in_flight}. */
        IN_LINE,
        /** It runs. */
        ACTIVE,
        /** A call of it is at the gate. */
        AT_GATE
    }

    private final long id;
    private final KeyLane<K, IN> lane;
    private final Input<IN> input;
    private final WatermarkHold.Group watermarks;
    @Nullable private Journal journal;
    @Nullable private volatile Owner owner;
    private Stage stage = Stage.IN_LINE;
    private boolean saved;
    private boolean ended;
    private boolean woken;
    private boolean fromState;
    private long awakeUntil = Long.MIN_VALUE;
    private final AtomicInteger appends = new AtomicInteger();
    private int seenWrites = -1;
    private long quietSince;

    /**
     * @param id names the invocation within this attempt of this subtask
     * @param journal what a snapshot left of it, null for a new one
     */
    Invocation(
            long id,
            KeyLane<K, IN> lane,
            Input<IN> input,
            WatermarkHold.Group watermarks,
            @Nullable Journal journal) {
        this.id = id;
        this.lane = lane;
        this.input = input;
        this.watermarks = watermarks;
        this.journal = journal;
    }

    public long id() {
        return id;
    }

    KeyLane<K, IN> lane() {
        return lane;
    }

    public K key() {
        return lane.key();
    }

    public Input<IN> input() {
        return input;
    }

    WatermarkHold.Group watermarks() {
        return watermarks;
    }

    /** The journal; made when it is first asked for, as most waiting inputs need none. */
    public Journal journal() {
        if (journal == null) {
            journal = new Journal();
        }
        return journal;
    }

    Stage stage() {
        return stage;
    }

    /** Whether it runs, and is not at the gate. */
    boolean isActive() {
        return stage == Stage.ACTIVE;
    }

    void setStage(Stage newStage) {
        stage = newStage;
    }

    /** Whose entries its calls are in the call log; null without a log. */
    @Nullable
    Owner owner() {
        return owner;
    }

    void setOwner(Owner newOwner) {
        owner = newOwner;
    }

    /** Whether its handler has ended; its outputs may have to wait. */
    boolean hasEnded() {
        return ended;
    }

    void markEnded() {
        ended = true;
    }

    /** It was parked, and waits in line to go on; or does no more. Tells what it did before. */
    boolean setWoken(boolean newWoken) {
        boolean before = woken;
        woken = newWoken;
        return before;
    }

    /** Whether its input was read from the state: it may hold watermarks there. */
    boolean isFromState() {
        return fromState;
    }

    void markFromState() {
        fromState = true;
    }

    /** Whether its handler has not let itself be parked a moment ago. */
    boolean staysAwake(long now) {
        return now < awakeUntil;
    }

    void stayAwake(long until) {
        awakeUntil = until;
    }

    /** It waits for an entry to be in the call log, or does not any more; any thread. */
    void waitsForLog(int entries) {
        appends.addAndGet(entries);
    }

    /** Whether it waits for an entry to be in the call log. */
    boolean waitsForLog() {
        return appends.get() > 0;
    }

    /** Since when nothing was written to its journal, as far as it was looked at. */
    long quietSince(long now) {
        int writes = journal().writes();
        if (writes != seenWrites) {
            seenWrites = writes;
            quietSince = now;
        }
        return quietSince;
    }

    boolean hasJournalChanges() {
        return journal != null && journal.hasChanges();
    }

    int savedSlots() {
        return journal == null ? 0 : journal.savedSize();
    }

    /** Whether the input stands in the keyed state. */
    boolean isSaved() {
        return saved;
    }

    void markSaved() {
        saved = true;
    }
}
