package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.TreeSet;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.CallStatus;
import pyflink.durable.journal.SlotKind;

/**
 * What the invocations in flight wait for, as far as the operator can tell. Walks all of them: for
 * when nothing moves.
 */
final class Waits {

    /** So many functions are named. */
    private static final int NAMES = 3;

    /** Calls that this attempt has started, and which nothing holds. */
    private int calls;

    private final TreeSet<String> functionsOfCalls = new TreeSet<>();

    /** Calls and sleeps that wait for their time. */
    private int timers;

    /** Waits for a signal. */
    private int signals;

    /**
     * Handlers that wait for none of these, nor at the gate: for a thread, a lock, another handler.
     */
    private int handlers;

    /** Handlers that have ended, and whose outputs nobody takes. */
    private int ended;

    private final TreeSet<String> functionsAtGate = new TreeSet<>();
    private final int atGate;
    private final int inLine;

    /** Inputs in line that wait for a place alone, and not for their key. */
    private final int ready;

    private Waits(int atGate, int inLine, int ready) {
        this.atGate = atGate;
        this.inLine = inLine;
        this.ready = ready;
    }

    static <K, IN> Waits of(InvocationScheduler<K, IN> scheduler, Gate<K, IN> gate, long now) {
        int inLine = scheduler.inFlightCount() - scheduler.running().size();
        Waits waits = new Waits(gate.size(), inLine, scheduler.readyCount());
        for (Invocation<K, IN> invocation : scheduler.running()) {
            if (invocation.hasEnded()) {
                waits.ended++;
            } else {
                waits.add(invocation, gate.slotsOf(invocation), now);
            }
        }
        return waits;
    }

    private void add(Invocation<?, ?> invocation, BitSet held, long now) {
        BitSet begun = invocation.journal().begun();
        int slot = 0;
        int before = calls + timers + signals;
        for (Call call : invocation.journal().calls()) {
            if (held.get(slot)) {
                name(functionsAtGate, call);
            } else if (call.status() == CallStatus.PENDING && call.kind() == SlotKind.SIGNAL) {
                signals++;
            } else if (call.status() == CallStatus.PENDING && call.due() > now) {
                timers++;
            } else if (call.status() == CallStatus.PENDING && begun.get(slot)) {
                calls++;
                name(functionsOfCalls, call);
            }
            slot++;
        }
        if (calls + timers + signals == before && held.isEmpty()) {
            handlers++;
        }
    }

    /** The first few in order, and one more if there are more. */
    private static void name(TreeSet<String> functions, Call call) {
        functions.add(call.functionId());
        if (functions.size() > NAMES + 1) {
            functions.pollLast();
        }
    }

    /** Whether something is under way that ends, or begins, by itself. */
    boolean isForOutside() {
        return calls + timers + signals > 0;
    }

    /** Whether nothing else is waited for than the time, and signals. */
    boolean isForTimersAlone() {
        return timers + signals > 0 && calls + handlers + atGate + ended == 0;
    }

    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        describe(parts, "calls under way", calls, listed(functionsOfCalls));
        describe(parts, "sleeps and pauses", timers, "");
        describe(parts, "waits for a signal", signals, "");
        describe(parts, "calls that wait for a checkpoint", atGate, listed(functionsAtGate));
        describe(
                parts,
                "handlers that wait in their process (for a thread, a lock, another handler)",
                handlers,
                "");
        describe(parts, "ended handlers whose outputs nobody takes", ended, "");
        describe(parts, "inputs in line", inLine, " (only for a place: " + ready + ")");
        return parts.isEmpty() ? "nothing is in flight" : String.join(", ", parts);
    }

    private static void describe(List<String> parts, String what, int count, String more) {
        if (count > 0) {
            parts.add(what + ": " + count + more);
        }
    }

    private static String listed(TreeSet<String> functions) {
        List<String> names = new ArrayList<>(functions);
        boolean more = names.size() > NAMES;
        return names.isEmpty()
                ? ""
                : " ("
                        + String.join(", ", more ? names.subList(0, NAMES) : names)
                        + (more ? ", ...)" : ")");
    }
}
