package pyflink.durable.engine;

import javax.annotation.Nullable;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.Journal;
import pyflink.durable.journal.SlotKind;

/**
 * The journal writes of one step as Python reports them, taken one by one.
 *
 * <p>They come flat, thirteen fields each: invocation, slot, function id, digest of the arguments,
 * what to do, result, exception, attempt, due (milliseconds since the epoch), ended at and
 * invocation began (both in microseconds), repeatable (1 if it is), hold; null where one means
 * nothing. Flat, which is cheap to convert. What to do is one of the six things that are done to
 * calls, or the name of another {@link SlotKind}, of which a slot is opened.
 */
final class JournalWrites {

    static final int FIELDS = 13;

    private final Object[] fields;
    private int at = -FIELDS;

    JournalWrites(Object[] fields) {
        this.fields = fields;
    }

    /** Goes on to the next write; false if there is none. */
    boolean next() {
        at += FIELDS;
        return at < fields.length;
    }

    long invocation() {
        return number(0);
    }

    int slot() {
        return (int) number(1);
    }

    /** Whether it drops the slot and all after it. */
    boolean clears() {
        return fields[at + 4].equals("CLEARED");
    }

    /** What the call or its outcome waits for, null for nothing. */
    @Nullable
    String hold() {
        return (String) fields[at + 12];
    }

    void apply(Journal journal) {
        String functionId = (String) fields[at + 2];
        String argsDigest = (String) fields[at + 3];
        byte[] result = (byte[]) fields[at + 5];
        byte[] exception = (byte[]) fields[at + 6];
        int attempt = (int) number(7);
        long due = number(8);
        long endedAt = number(9);
        boolean repeatable = number(11) == 1;
        journal.begin(number(10));
        switch ((String) fields[at + 4]) {
            case "PENDING":
                journal.appendPendingCallAt(slot(), functionId, argsDigest, repeatable);
                break;
            case "ATTEMPT":
                journal.startAttemptAt(slot(), functionId, argsDigest, attempt);
                break;
            case "SCHEDULED":
                journal.scheduleCallAt(slot(), functionId, argsDigest, attempt, due, repeatable);
                break;
            case "FINALIZED":
                journal.finalizeCallAt(slot(), functionId, argsDigest, result, exception, endedAt);
                break;
            case "RECORDED":
                journal.recordCallCompletionAt(
                        slot(), functionId, argsDigest, result, exception, endedAt, repeatable);
                break;
            case "CLEARED":
                journal.clearCallResultsFrom(slot());
                break;
            default:
                SlotKind kind = SlotKind.valueOf((String) fields[at + 4]);
                journal.openAt(slot(), kind, functionId, due, repeatable);
        }
    }

    /** A field in the width in which Python sent it; -1 where it means nothing. */
    private long number(int field) {
        Object number = fields[at + field];
        return number == null ? Call.NO_TIME : ((Number) number).longValue();
    }
}
