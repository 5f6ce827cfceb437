package pyflink.durable.journal;

/** What is known of a call. */
public enum CallStatus {
    /** The call was announced; it may or may not have happened. */
    PENDING,
    /** The call returned; its result is in the slot. */
    SUCCEEDED,
    /** The call raised; its exception is in the slot. */
    FAILED;

    /** Whether the outcome is known, so that the call is replayed and never run again. */
    public boolean isTerminal() {
        return this != PENDING;
    }
}
