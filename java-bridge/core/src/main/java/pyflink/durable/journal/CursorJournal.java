package pyflink.durable.journal;

import java.util.List;
import java.util.SortedMap;
import javax.annotation.Nullable;

/**
 * A journal with a cursor, which points at the slot of the next call and serves calls made one
 * after another. Its six methods are all that a bridge must have; they tell no times. The others
 * reach the same slots.
 */
public final class CursorJournal extends Journal {

    private int cursor;

    /** A journal with no calls yet. */
    public CursorJournal() {}

    private CursorJournal(List<Call> saved) {
        super(saved);
    }

    /** As {@link Journal#restore}, with the cursor at the first slot. */
    public static CursorJournal restore(SortedMap<Integer, Call> saved) {
        return new CursorJournal(withoutHoles(saved));
    }

    /** What is in the slot at the cursor, as {@link Call#fields()}; null if nothing is. */
    @Nullable
    public synchronized Object[] getCurrentCallResultFields() {
        return getCallResultFieldsAt(cursor);
    }

    /**
     * Answers a call from the slot at the cursor and moves the cursor. A slot that differs is
     * dropped with all after it. So is a pending one: its outcome is not known, the call is to run.
     *
     * @return {@code [true, result, exception]}, or null if the call is to run
     */
    @Nullable
    public synchronized Object[] matchNextOrClearSubsequentCallResult(
            String functionId, String argsDigest) {
        if (cursor >= size()) {
            return null;
        }
        Call call = callAt(cursor);
        if (!call.hasIdentity(functionId, argsDigest) || !call.status().isTerminal()) {
            clearCallResultsFrom(cursor);
            return null;
        }
        cursor++;
        return new Object[] {true, call.result(), call.exception()};
    }

    /** Appends a call that has already completed, and moves the cursor. */
    public synchronized void recordCallCompletion(
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception) {
        recordCallCompletionAt(
                cursor, functionId, argsDigest, result, exception, Call.NO_TIME, false);
        cursor++;
    }

    /** Appends a pending call at the cursor; the cursor stays. */
    public synchronized void appendPendingCall(String functionId, String argsDigest) {
        appendPendingCallAt(cursor, functionId, argsDigest, false);
    }

    /** Makes the pending call at the cursor terminal and moves the cursor. */
    public synchronized void finalizeCurrentCall(
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception) {
        finalizeCallAt(cursor, functionId, argsDigest, result, exception, Call.NO_TIME);
        cursor++;
    }

    /** Drops the slot at the cursor and all after it. */
    public synchronized void clearCallResultsFromCurrentIndexAndPersist() {
        clearCallResultsFrom(cursor);
    }
}
