package pyflink.durable.operator;

import org.apache.flink.api.common.operators.MailboxExecutor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides whether an operator that is full takes in more inputs all the same. Works on the task
 * thread only.
 *
 * <p>An operator that is full because of calls at the {@link Gate} alone waits for a checkpoint,
 * and holds its input back meanwhile. Where that input is what the checkpoint waits for, both wait
 * for ever. While the valve is open, what the gate alone holds does not count, and input goes on
 * until the checkpoint has come. Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>The valve is open from the start of an attempt until its first snapshot. A task that has
 *       been restored reads the channel data of an unaligned checkpoint first, and no checkpoint is
 *       triggered before every task has. The channel of its upstream stays blocked, for priority
 *       barriers too, until the operator has read the event behind that data. With more recovered
 *       elements than the operator takes, it would never get there.
 *   <li>It opens again when the operator has been held back by the gate alone for as long as a
 *       checkpoint interval without a snapshot. Savepoints are aligned: their barrier stands behind
 *       the elements that the operator does not take, and while one is pending no periodic
 *       checkpoint starts.
 *   <li>Any snapshot shuts it: a barrier has come through, so input held back does not hold back
 *       the next. An open valve lets memory grow with the input; what passes is bounded by the
 *       network buffers and by one interval of input, counted, and logged once for each opening.
 *   <li>An operator that is full of anything else than the gate waits, valve or not: calls that run
 *       end without a checkpoint, and make room.
 * </ul>
 */
final class Valve {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String operator;
    private final MailboxExecutor mailbox;
    private final InvocationScheduler<?, ?> scheduler;
    private final DurableCounters counters;
    private final WaitLimit heldBack;
    private boolean open = true;
    private boolean passed;

    /**
     * @param mailbox whose mails run during a wait
     * @param heldBack for how long the gate alone may hold input back without a snapshot
     */
    Valve(
            String operator,
            MailboxExecutor mailbox,
            InvocationScheduler<?, ?> scheduler,
            DurableCounters counters,
            WaitLimit heldBack) {
        this.operator = operator;
        this.mailbox = mailbox;
        this.scheduler = scheduler;
        this.counters = counters;
        this.heldBack = heldBack;
    }

    /** Waits until the next input may be taken in. */
    void awaitRoom() throws InterruptedException {
        if (!scheduler.isFull()) {
            heldBack.reset();
            return;
        }
        while (holdsBack()) {
            mailbox.yield();
        }
    }

    private boolean holdsBack() {
        if (!scheduler.isFull()) {
            return false; // a single input gets through: not the end of being held back
        }
        if (scheduler.isFullBesideGate()) {
            heldBack.reset();
            return true;
        }
        if (!open && heldBack.isOver()) {
            open = true;
        }
        if (open) {
            countPassed();
        }
        return !open;
    }

    /** Shuts the valve. */
    void snapshotTaken() {
        open = false;
        passed = false;
        heldBack.reset();
    }

    private void countPassed() {
        counters.add("valvePassed", 1);
        if (!passed) {
            passed = true;
            LOG.warn(
                    "Operator {} is full of calls that wait for a checkpoint, and takes in inputs"
                            + " beyond max_pending so that one can come: held back, they could be"
                            + " what the checkpoint waits for. It stops with the next snapshot. If"
                            + " this comes often, raise max_pending or take checkpoints more often.",
                    operator);
        }
    }
}
