package pyflink.durable.engine;

import javax.annotation.Nullable;
import org.apache.flink.types.Row;
import org.apache.flink.util.StringUtils;

/**
 * Has each call wait for what its hold says, once the call is in the journal. Any thread.
 *
 * <p>A hold is of the newest write of its slot: another write, or the loss of the slot, ends it.
 */
final class Holds<K, IN> {

    private final String operator;
    private final Limits limits;
    private final Gate<K, IN> gate;
    private final Progress progress;
    @Nullable private final WriteAhead<K, IN> writeAhead;

    /**
     * @param writeAhead null for an operator without a call log
     */
    Holds(
            String operator,
            Limits limits,
            Gate<K, IN> gate,
            Progress progress,
            @Nullable WriteAhead<K, IN> writeAhead) {
        this.operator = operator;
        this.limits = limits;
        this.gate = gate;
        this.progress = progress;
        this.writeAhead = writeAhead;
    }

    /**
     * A slot was written.
     *
     * @param hold {@code CHECKPOINT}, {@code LOG}, or null for a call that waits for nothing
     */
    void written(Invocation<K, IN> invocation, int slot, @Nullable String hold) {
        progress.moved();
        boolean toLog = "LOG".equals(hold);
        if (writeAhead != null) {
            writeAhead.written(invocation, slot, toLog);
        } else if (toLog) {
            throw refused(
                    invocation,
                    slot,
                    "the call log, and the operator has none. Give it one, or use"
                            + " durability=\"gated\", which needs none.");
        }
        switch (hold == null ? "" : hold) {
            case "":
            case "LOG":
                gate.leave(invocation, slot, slot);
                break;
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
            default:
                throw new IllegalArgumentException("There is no hold " + hold);
        }
    }

    /** Slots were dropped, from this one on. */
    void cleared(Invocation<K, IN> invocation, int slot) {
        if (writeAhead != null) {
            writeAhead.cleared(invocation, slot);
        }
        gate.leave(invocation, slot, Integer.MAX_VALUE);
    }

    private IllegalStateException refused(Invocation<K, IN> invocation, int slot, String why) {
        return new IllegalStateException(
                String.format(
                        "Operator %s, key %s: %s waits for %s",
                        operator,
                        textOf(invocation.key()),
                        invocation.journal().calls().get(slot),
                        why));
    }

    /** The key as the user knows it: PyFlink's is a row with it as the only field. */
    private static String textOf(Object key) {
        return StringUtils.arrayAwareToString(key instanceof Row ? ((Row) key).getField(0) : key);
    }
}
