package pyflink.durable.engine;

import org.apache.flink.api.common.operators.MailboxExecutor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides whether an operator that is full takes in more inputs all the same. Works on the task
 * thread only.
 *
 * <p>An operator that is full holds its input back. Where that input is what a checkpoint waits
 * for, and the checkpoint what the operator waits for, both wait for ever. While the valve is open,
 * input goes on until the checkpoint has come. What it lets in waits as an input and not as a
 * handler: see {@link InvocationScheduler}. Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>What a checkpoint holds of the channels is always taken in. The task has to read it before
 *       it counts as running, and no checkpoint is triggered before every task does.
 *   <li>The valve is open from the start of an attempt that was restored. The channel of its
 *       upstream may hold data of the checkpoint, too, and stays blocked, for priority barriers as
 *       well, until the operator has read the event behind them. An attempt that starts afresh has
 *       no such data. Were its valve open, a job that catches up with a backlog would take in
 *       millions of inputs.
 *   <li>It opens again when the operator has been held back without a snapshot: for a checkpoint
 *       interval, if calls are at the gate; for {@link #PATIENCE} of them otherwise. Savepoints are
 *       aligned: their barrier stands behind the elements that the operator does not take, and
 *       while one is pending no periodic checkpoint starts. Whether the operator is full of what
 *       the gate holds, or of handlers that wait for a thread or a lock which those have, cannot be
 *       told.
 *   <li>An opening lets through as many bytes as the network in front can hold: whatever a
 *       checkpoint waits for is among them. Each one without a snapshot since the last takes twice
 *       as long to come. While another region of the job restarts, no snapshot comes, however much
 *       is taken in.
 *   <li>Any snapshot shuts it: a barrier has come through.
 *   <li>It never lets more wait than {@link #HARD_LIMIT} times {@code max_pending}, but for an
 *       attempt that was restored and has not taken its first snapshot: that one would never go on.
 * </ul>
 *
 * <p>What passes is counted, and logged once for each opening.
 */
final class Valve {

    /** For so many checkpoint intervals an operator is held back by other things than the gate. */
    static final int PATIENCE = 10;

    /** So many times {@code max_pending} may wait. */
    static final int HARD_LIMIT = 32;

    private static final int LONGEST_PATIENCE_DOUBLINGS = 20;

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String operator;
    private final MailboxExecutor mailbox;
    private final InvocationScheduler<?, ?> scheduler;
    private final Gate<?, ?> gate;
    private final DurableCounters counters;
    private final InputNetwork network;
    private final WaitLimit heldBack;
    private final long interval;

    private boolean open;
    private boolean mustRead;
    private long readAtOpening;

    /** How often it has opened since the last snapshot. */
    private int openings;

    private boolean logged;

    /**
     * @param mailbox whose mails run during a wait
     * @param heldBack for how long input is held back without a snapshot
     * @param interval milliseconds between checkpoints
     * @param restored whether the attempt was restored from a checkpoint
     */
    Valve(
            String operator,
            MailboxExecutor mailbox,
            InvocationScheduler<?, ?> scheduler,
            Gate<?, ?> gate,
            DurableCounters counters,
            InputNetwork network,
            WaitLimit heldBack,
            long interval,
            boolean restored) {
        this.operator = operator;
        this.mailbox = mailbox;
        this.scheduler = scheduler;
        this.gate = gate;
        this.counters = counters;
        this.network = network;
        this.heldBack = heldBack;
        this.interval = interval;
        this.mustRead = restored;
        if (restored) {
            open();
        }
    }

    /** Waits until the next input may be taken in. */
    void awaitRoom() throws InterruptedException {
        if (!scheduler.isFull()) {
            heldBack.reset();
            return;
        }
        while (scheduler.isFull()
                && !letsThrough()) { // a single input gets through: still held back
            mailbox.yield();
        }
    }

    private boolean letsThrough() {
        if (network.isRecovering() || opens()) {
            countPassed();
            return true;
        }
        return false;
    }

    /** Whether it lets inputs through that the operator has no room for. */
    boolean isOpen() {
        return open || network.isRecovering();
    }

    private boolean opens() {
        if (open && (isUsedUp() || isAtLimit())) {
            open = false;
            heldBack.reset();
        }
        if (!open && heldBack.isOver(patience()) && !isAtLimit()) {
            open();
        }
        return open;
    }

    private void open() {
        open = true;
        openings = Math.min(openings + 1, LONGEST_PATIENCE_DOUBLINGS);
        readAtOpening = network.bytesRead();
        logged = false;
    }

    private boolean isUsedUp() {
        return network.bytesRead() - readAtOpening > network.capacity();
    }

    private boolean isAtLimit() {
        return !mustRead && scheduler.isOverfull(HARD_LIMIT);
    }

    private long patience() {
        return (gate.size() > 0 ? interval : PATIENCE * interval) << openings;
    }

    /** Shuts the valve. */
    void snapshotTaken() {
        open = false;
        mustRead = false;
        openings = 0;
        heldBack.reset();
    }

    private void countPassed() {
        counters.add("valvePassed", 1);
        if (!logged) {
            logged = true;
            LOG.warn(
                    "Operator {} is full, and takes in inputs beyond max_pending so that a checkpoint"
                            + " can come: held back, they could be what it waits for. It stops with"
                            + " the next snapshot. If this comes often, raise max_pending or take"
                            + " checkpoints more often.",
                    operator);
        }
    }
}
