package pyflink.durable.engine;

import pyflink.durable.operator.DurableBridge;

/** A journal write as Python reports it at the end of a step; see {@link JournalWrites}. */
public final class JournalWrite {

    private final Object[] fields = new Object[13];

    public JournalWrite(
            long invocation, int slot, String functionId, String argsDigest, String what) {
        fields[0] = invocation;
        fields[1] = slot;
        fields[2] = functionId;
        fields[3] = argsDigest;
        fields[4] = what;
    }

    public JournalWrite result(byte[] result) {
        return with(5, result);
    }

    public JournalWrite exception(byte[] exception) {
        return with(6, exception);
    }

    public JournalWrite attempt(Number attempt) {
        return with(7, attempt);
    }

    public JournalWrite due(Number millis) {
        return with(8, millis);
    }

    public JournalWrite endedAt(Number micros) {
        return with(9, micros);
    }

    public JournalWrite began(Number micros) {
        return with(10, micros);
    }

    JournalWrite repeatable() {
        return with(11, 1);
    }

    public JournalWrite hold(String hold) {
        return with(12, hold);
    }

    private JournalWrite with(int field, Object value) {
        fields[field] = value;
        return this;
    }

    public Object[] build() {
        return fields.clone();
    }

    /** Writes it at once, as the thread of a {@code def} handler does. */
    public void to(DurableBridge bridge) {
        boolean made = fields[4].equals("PENDING") || fields[4].equals("RECORDED");
        bridge.applyJournalWrites(made ? 1 : 0, build());
    }
}
