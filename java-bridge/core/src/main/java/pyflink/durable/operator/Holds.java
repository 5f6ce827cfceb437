package pyflink.durable.operator;

import javax.annotation.Nullable;

/**
 * Has each call wait for what its hold says, once the call is in the journal. Any thread.
 *
 * <p>A hold is of the newest write of its slot: another write, or the loss of the slot, ends it.
 */
final class Holds<K, IN> {

    private final String operator;
    private final Limits limits;
    private final Gate<K, IN> gate;

    Holds(String operator, Limits limits, Gate<K, IN> gate) {
        this.operator = operator;
        this.limits = limits;
        this.gate = gate;
    }

    /**
     * A slot was written.
     *
     * @param hold {@code CHECKPOINT}, {@code LOG}, or null for a call that waits for nothing
     */
    void written(Invocation<K, IN> invocation, int slot, @Nullable String hold) {
        if (hold == null) {
            gate.leave(invocation, slot, slot);
            return;
        }
        switch (hold) {
            case "CHECKPOINT":
                if (limits.checkpointInterval <= 0) {
                    throw refused(
                            invocation,
                            slot,
                            "a checkpoint, and the job takes none. Turn them on with"
                                    + " env.enable_checkpointing(milliseconds).");
                }
                gate.enter(invocation, slot);
                break;
            case "LOG":
                throw refused(
                        invocation,
                        slot,
                        "the call log, and the operator has none. Give it one, or use"
                                + " durability=\"gated\", which needs none.");
            default:
                throw new IllegalArgumentException("There is no hold " + hold);
        }
    }

    /** Slots were dropped, from this one on. */
    void cleared(Invocation<K, IN> invocation, int slot) {
        gate.leave(invocation, slot, Integer.MAX_VALUE);
    }

    private IllegalStateException refused(Invocation<K, IN> invocation, int slot, String why) {
        return new IllegalStateException(
                String.format(
                        "Operator %s, key %s: %s waits for %s",
                        operator, invocation.key(), invocation.journal().calls().get(slot), why));
    }
}
