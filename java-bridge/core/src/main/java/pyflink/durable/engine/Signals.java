package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.CallStatus;
import pyflink.durable.journal.SlotKind;
import pyflink.durable.state.Signal;
import pyflink.durable.state.SignalState;

/**
 * Takes signals in, and keeps them until a handler of their key takes them or their time is over.
 * Works on the task thread only.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>A signal is in the keyed state when its element has been processed. It may come before the
 *       handler waits, and before its input does: an answer that was quick would be lost.
 *   <li>It does not stand in the line of its key. What stands there may be what waits for it.
 *   <li>A handler takes it in the step in which the slot of its wait is written, so the same
 *       checkpoints hold both. A signal that was taken away before would be lost with the step, one
 *       that was left behind would answer the next wait, too.
 *   <li>One that the call log holds as taken is passed over when its sender repeats it: the
 *       checkpoint, which knows nothing of that, would have it answer another wait.
 *   <li>What nobody takes goes to a side output when its time is over, and all that is left at the
 *       end of the input: an answer to nobody is told to somebody. What nobody may take, since its
 *       token is forged, or its invocation has ended, goes there at once, and before its id is
 *       noted: a forged answer would keep the genuine one out.
 *   <li>One that cancels an invocation goes to it whatever that waits for.
 * </ul>
 */
public final class Signals<K, IN> {

    /** The name of those that cancel an invocation. */
    static final String CANCEL = "pyflink_durable.cancel";

    /** What becomes of a signal that has come. */
    enum Accepted {
        /** Nobody is to be told: it was there before, or is for nobody. */
        NOTHING_NEW,
        /** It may answer a wait. */
        KEPT,
        /** It is to cancel an invocation. */
        CANCELS
    }

    private static final String NOT_TAKEN = "nobody took it";
    private static final String ENDED = "its invocation has ended";

    /** So many go to the side output in a mail. */
    private static final int MOST = 512;

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final String operator;
    private final FlinkTask task;
    private final MailboxExecutor mailbox;
    private final HandlerHost<K, IN> host;
    private final DurableCounters counters;
    private final SignalState<K> state;
    private final long timeToLive;

    /** When the timer comes that is set; {@link Long#MAX_VALUE} if none is. */
    private long timer = Long.MAX_VALUE;

    private boolean stopped;
    private String lastName = "";

    /**
     * @param operator its name
     * @param mailbox of the lowest priority
     * @param timeToLive for how many milliseconds a signal is kept
     */
    Signals(
            String operator,
            FlinkTask task,
            MailboxExecutor mailbox,
            HandlerHost<K, IN> host,
            DurableCounters counters,
            SignalState<K> state,
            long timeToLive) {
        this.operator = operator;
        this.task = task;
        this.mailbox = mailbox;
        this.host = host;
        this.counters = counters;
        this.state = state;
        this.timeToLive = timeToLive;
        setTimer();
    }

    // ------------------------------------------------------------------ what comes in

    /** Gives the number of the first input of the selected key that has not ended. */
    interface OpenFrom {
        long get() throws Exception;
    }

    /** Takes a signal of the selected key in. */
    Accepted accept(byte[] content, OpenFrom openFrom) throws Exception {
        Object[] read = host.readSignal(content, task.externalKey(task.getCurrentKey()));
        String name = (String) read[0];
        String id = (String) read[1];
        Number sequence = (Number) read[3];
        String refused = (String) read[4];
        byte[] kept = read[5] == null ? content : (byte[]) read[5];
        long number = state.takeNumber();
        counters.add("signals", 1);
        if (refused != null) {
            giveUp(content, refused);
            return Accepted.NOTHING_NEW;
        }
        boolean repeated = id != null && state.note(markOf(id));
        if (repeated || state.isNoted(markOf(number))) {
            counters.add("signalsRepeated", 1);
            return Accepted.NOTHING_NEW;
        }
        if (sequence != null && sequence.longValue() < openFrom.get()) {
            counters.add("signalsUnclaimed", 1);
            giveUp(content, ENDED);
            return Accepted.NOTHING_NEW;
        }
        long expires = now() + timeToLive;
        state.put(new Signal(number, name, id, (String) read[2], expires, kept));
        setTimer();
        lastName = name;
        return name.equals(CANCEL) ? Accepted.CANCELS : Accepted.KEPT;
    }

    /** The name of the one that was accepted last. */
    String lastName() {
        return lastName;
    }

    /** Has an invocation look for a signal that was accepted, if it waits for one. */
    boolean tell(Invocation<K, IN> running, Accepted accepted) {
        boolean looks =
                accepted == Accepted.CANCELS || (accepted == Accepted.KEPT && waits(running));
        if (looks) {
            host.signalled(running.id());
        }
        return looks;
    }

    private static String markOf(String id) {
        return "id " + id;
    }

    private static String markOf(long number) {
        return "number " + number;
    }

    private static boolean waits(Invocation<?, ?> invocation) {
        for (Call call : invocation.journal().calls()) {
            if (call.status() == CallStatus.PENDING && call.kind() == SlotKind.SIGNAL) {
                return true;
            }
        }
        return false;
    }

    // ------------------------------------------------------------------ what handlers take

    /**
     * Takes the first signal of a name from the selected key.
     *
     * @param invocation the id of the invocation that takes it
     * @return number, id (or null) and content; null if there is none
     */
    @Nullable
    public Object[] take(String name, String invocation) throws Exception {
        List<Signal> found = state.of(name, invocation);
        if (found.isEmpty()) {
            return null;
        }
        Signal signal = found.get(0);
        state.remove(signal);
        counters.add("signalsTaken", 1);
        return new Object[] {signal.number(), signal.id(), signal.content()};
    }

    /** The contents of all signals of a name that an invocation of the selected key may take. */
    public Object[] look(String name, String invocation) throws Exception {
        return state.of(name, invocation).stream().map(Signal::content).toArray();
    }

    /** The journal holds a signal of the selected key as taken, perhaps from the call log. */
    public void taken(long number, @Nullable String id) throws Exception {
        Signal left = state.get(number);
        if (left != null) {
            state.remove(left);
        } else {
            state.note(markOf(number));
        }
        if (id != null) {
            state.note(markOf(id));
        }
    }

    // ------------------------------------------------------------------ what nobody takes

    private long now() {
        return task.getProcessingTimeService().getCurrentProcessingTime();
    }

    private void setTimer() {
        long next = state.nextExpiry();
        if (next < timer) {
            timer = next;
            // a mail, since Flink lets the task go on after a timer that failed
            task.getProcessingTimeService().registerTimer(next, time -> askToExpire());
        }
    }

    private void askToExpire() {
        timer = Long.MAX_VALUE;
        try {
            mailbox.execute(this::expire, "signals that nobody has taken");
        } catch (RejectedExecutionException e) {
            LOG.debug("Operator {} is closing, no mail is taken", operator, e);
        }
    }

    private void expire() throws Exception {
        if (stopped) {
            return;
        }
        if (giveUp(now()) == MOST) {
            askToExpire(); // behind the mails that have come meanwhile, a checkpoint among them
        } else {
            setTimer();
        }
    }

    /** At the end of the input: nobody will come for what is left. */
    void giveUpAll() throws Exception {
        while (giveUp(Long.MAX_VALUE) == MOST) {
            LOG.debug("Operator {} has more signals that nobody has taken", operator);
        }
    }

    /** Sends signals that have expired by a time to the side output; tells how many. */
    private int giveUp(long time) throws Exception {
        List<Object> unclaimed = new ArrayList<>();
        int count = 0;
        Signal signal;
        while (count < MOST && (signal = state.takeExpired(time)) != null) {
            unclaimed.add(task.externalKey(task.getCurrentKey()));
            unclaimed.add(signal.content());
            unclaimed.add(NOT_TAKEN);
            count++;
        }
        if (count > 0) {
            counters.add("signalsUnclaimed", count);
            LOG.warn(
                    "Operator {} has signals that nobody took within signal_ttl, or until the end"
                            + " of the input: {}. They go to the side output UNCLAIMED_SIGNAL.",
                    operator,
                    count);
            emitUnclaimed(unclaimed.toArray());
        }
        return count;
    }

    /** Sends a signal of the selected key to the side output. */
    private void giveUp(byte[] content, String reason) throws Exception {
        emitUnclaimed(new Object[] {task.externalKey(task.getCurrentKey()), content, reason});
    }

    private void emitUnclaimed(Object[] signals) throws Exception {
        Object[] outputs = host.unclaimed(signals);
        task.emit(null, outputs, 0, outputs.length);
    }

    /** Mails do nothing any more. */
    void stop() {
        stopped = true;
    }
}
