package pyflink.durable.engine;

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

    JournalWrite exception(byte[] exception) {
        return with(6, exception);
    }

    public JournalWrite attempt(Number attempt) {
        return with(7, attempt);
    }

    JournalWrite due(Number millis) {
        return with(8, millis);
    }

    JournalWrite endedAt(Number micros) {
        return with(9, micros);
    }

    JournalWrite began(Number micros) {
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
}
