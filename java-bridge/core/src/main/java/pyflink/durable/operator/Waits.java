package pyflink.durable.operator;

import java.util.BitSet;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.CallStatus;

/**
 * What the invocations in flight wait for, as far as the operator can tell. Walks all of them: for
 * when nothing moves.
 */
final class Waits {

    /** Calls that this attempt has started, and which nothing holds. */
    private int calls;

    /** Calls and sleeps that wait for their time. */
    private int timers;

    /**
     * Handlers that wait for none of these, nor at the gate: for a thread, a lock, another handler.
     */
    private int handlers;

    private final int atGate;
    private final int inLine;

    private Waits(int atGate, int inLine) {
        this.atGate = atGate;
        this.inLine = inLine;
    }

    static <K, IN> Waits of(InvocationScheduler<K, IN> scheduler, Gate<K, IN> gate, long now) {
        int started = scheduler.running().size();
        Waits waits = new Waits(gate.size(), scheduler.inFlightCount() - started);
        for (Invocation<K, IN> invocation : scheduler.running()) {
            waits.add(invocation, gate.slotsOf(invocation), now);
        }
        return waits;
    }

    private void add(Invocation<?, ?> invocation, BitSet held, long now) {
        BitSet begun = invocation.journal().begun();
        int slot = 0;
        int before = calls + timers;
        for (Call call : invocation.journal().calls()) {
            if (call.status() == CallStatus.PENDING && call.due() > now) {
                timers++;
            } else if (call.status() == CallStatus.PENDING && begun.get(slot) && !held.get(slot)) {
                calls++;
            }
            slot++;
        }
        if (calls + timers == before && held.isEmpty()) {
            handlers++;
        }
    }

    /** Whether something is under way that ends, or begins, by itself. */
    boolean isForOutside() {
        return calls + timers > 0;
    }

    /** Whether nothing else is waited for than the time. */
    boolean isForTimersAlone() {
        return timers > 0 && calls + handlers + atGate == 0;
    }

    @Override
    public String toString() {
        return calls
                + " calls are under way, "
                + timers
                + " sleep or pause, "
                + atGate
                + " wait for a checkpoint, "
                + handlers
                + " handlers wait for something in their process (a thread, a lock, another"
                + " handler), "
                + inLine
                + " inputs wait in line";
    }
}
