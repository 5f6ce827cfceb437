package pyflink.durable.journal;

/**
 * What a slot of a {@link Journal} holds. Python's half is {@code SlotKind}, with the same names.
 *
 * <p>State holds the ordinals: a new kind is added at the end.
 */
public enum SlotKind {
    /** A durable call. */
    CALL,
    /** A sleep or a timeout of an {@code async def} handler. */
    TIMER,
    /** The time that a batch of a {@code def} handler has. */
    BATCH_TIMER,
    /** The time that a handler has seen. */
    MOMENT,
    /** A wait for a signal, and the signal. */
    SIGNAL,
    /** The signals that a handler has seen and not taken. */
    PENDING_SIGNALS,
    /** The handler took the new code of a patch. */
    PATCH,
    /** The token of a ticket. */
    TICKET,
    /** The invocation was cancelled here. */
    CANCELLATION;

    private static final String NO_ARGUMENTS = "0000000000000000";

    /**
     * The kind of what a record tells by a function alone, as those of release 0.1 do; it has waits
     * for no signals.
     */
    static SlotKind ofFunction(String functionId, String argsDigest) {
        if (!argsDigest.equals(NO_ARGUMENTS)) {
            return CALL;
        }
        switch (functionId) {
            case "pyflink_durable.timer":
                return TIMER;
            case "pyflink_durable.batch_timer":
                return BATCH_TIMER;
            case "pyflink_durable.now":
                return MOMENT;
            default:
                return CALL;
        }
    }
}
