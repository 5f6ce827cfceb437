package pyflink.durable.state;

import java.io.Serializable;

/** What an operator keeps of a key behind the end of its invocations, and for how long. */
public final class Retention implements Serializable {

    private static final long serialVersionUID = 1L;

    final boolean numbersInputs;
    final long keyTtl;
    final long stateTtl;

    /** For how many milliseconds a signal is kept that nobody takes; 0 for an operator without. */
    public final long signalTtl;

    /**
     * @param numbersInputs whether invocations are told apart by the number of their input, which
     *     goes on for ever; not with ids of their own
     * @param keyTtl milliseconds for which the number lives behind the key's last input, 0 for ever
     * @param stateTtl milliseconds for which a value of {@code ctx.state} lives that is neither
     *     read nor written, 0 for ever
     */
    public Retention(boolean numbersInputs, long keyTtl, long stateTtl) {
        this(numbersInputs, keyTtl, stateTtl, 0);
    }

    private Retention(boolean numbersInputs, long keyTtl, long stateTtl, long signalTtl) {
        this.numbersInputs = numbersInputs;
        this.keyTtl = keyTtl;
        this.stateTtl = stateTtl;
        this.signalTtl = signalTtl;
    }

    /** The same of an operator with signals. */
    public Retention withSignals(long timeToLive) {
        return new Retention(numbersInputs, keyTtl, stateTtl, timeToLive);
    }
}
