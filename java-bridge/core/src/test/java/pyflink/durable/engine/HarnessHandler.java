package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.annotation.Nullable;
import org.apache.flink.types.Row;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.SlotKind;
import pyflink.durable.operator.DurableBridge;

/** A handler driven by the test: it makes calls, gets their outcomes, ends. */
public final class HarnessHandler {
    private final HarnessHost host;
    private final DurableBridge bridge;
    private final HostRequests engine;
    private final long id;
    private final String name;
    private final Invocation<Row, Row> invocation;
    private final int restoredSlots;
    private final List<String> outputs = new ArrayList<>();
    private final Map<String, byte[]> stateWrites = new LinkedHashMap<>();
    private final Set<Integer> givenUp = new HashSet<>();
    private boolean staysAwake;

    HarnessHandler(
            HarnessHost host,
            DurableBridge bridge,
            HostRequests engine,
            Invocation<Row, Row> invocation) {
        this.host = host;
        this.bridge = bridge;
        this.engine = engine;
        this.id = invocation.id();
        this.invocation = invocation;
        this.restoredSlots = invocation.journal().size();
        this.name = invocation.key().getField(0) + ":" + invocation.input().value().getField(1);
    }

    public long id() {
        return id;
    }

    public Long timestamp() {
        return invocation.input().timestamp();
    }

    public String handlerVersion() {
        return invocation.input().handlerVersion();
    }

    public long sequence() {
        return invocation.input().sequence();
    }

    List<String> outputs() {
        return outputs;
    }

    Map<String, byte[]> stateWrites() {
        return stateWrites;
    }

    /** How many slots its journal had when it started. */
    public int restoredSlots() {
        return restoredSlots;
    }

    /** Tells with the step that runs of a call that was made in it. */
    public void recordInStep(int slot, String function, String result) {
        host.wrote(write(slot, function, "RECORDED").result(result.getBytes()));
    }

    /** Announces a call with the report of the step that runs, as {@code async} handlers do. */
    public void callInStep(int slot, String function) {
        host.wrote(write(slot, function, "PENDING"));
    }

    private JournalWrite write(int slot, String function, String what) {
        return new JournalWrite(id, slot, function, "digest", what);
    }

    /** Announces a call at once, as {@code def} handlers do from their worker threads. */
    public void call(int slot, String function) {
        write(slot, function, "PENDING").to(bridge);
    }

    /** Announces a call that waits for a checkpoint, from a worker thread. */
    public void callGated(int slot, String function) {
        write(slot, function, "PENDING").hold("CHECKPOINT").to(bridge);
    }

    /** The same with the report of the step that runs. */
    public void callGatedInStep(int slot, String function) {
        host.wrote(write(slot, function, "PENDING").hold("CHECKPOINT"));
    }

    /** The second half of {@link #callGated}, when the first was {@link #call}. */
    public void enterGate(int slot) {
        engine.written(invocation, slot, "CHECKPOINT");
    }

    public void startAttemptGated(int slot, String function, int attempt) {
        write(slot, function, "ATTEMPT").attempt(attempt).hold("CHECKPOINT").to(bridge);
    }

    /** As an {@code async} handler retries a call that was found in doubt. */
    public void startAttemptGatedInStep(int slot, String function, int attempt) {
        host.wrote(write(slot, function, "ATTEMPT").attempt(attempt).hold("CHECKPOINT"));
    }

    public void startAttempt(int slot, String function, int attempt) {
        write(slot, function, "ATTEMPT").attempt(attempt).to(bridge);
    }

    public void schedule(int slot, String function, int attempt, long due) {
        write(slot, function, "SCHEDULED").attempt(attempt).due(due).to(bridge);
    }

    /** Announces a call that waits for the call log. */
    public void callLogged(int slot, String function) {
        write(slot, function, "PENDING").hold("LOG").to(bridge);
    }

    /** Gives an outcome that waits for the call log. */
    public void succeedLogged(int slot, String function, String result) {
        write(slot, function, "FINALIZED").result(result.getBytes()).hold("LOG").to(bridge);
    }

    /** Does not let itself be parked. */
    public void stayAwake() {
        staysAwake = true;
    }

    /** Gives up the wait of a slot, whose deadline stays in the journal. */
    public void giveUp(int slot) {
        givenUp.add(slot);
    }

    /**
     * What it waits for, as a Python handler tells it: until when, and the names of signals; null
     * if it does not let itself be dropped.
     */
    @Nullable
    Object[] waits(long now) {
        long until = Long.MAX_VALUE;
        List<String> signals = new ArrayList<>();
        boolean waits = false;
        int slot = 0;
        for (Call call : invocation.journal().calls()) {
            if (!call.status().isTerminal() && !givenUp.contains(slot)) {
                waits = true;
                until = Math.min(until, call.due());
                if (call.kind() == SlotKind.SIGNAL) {
                    signals.add(call.functionId());
                }
            }
            slot++;
        }
        boolean soon = until < now + 1_000;
        return staysAwake || !waits || soon ? null : new Object[] {until, signals.toArray()};
    }

    /** The time of a slot has come. */
    public void fire(int slot) {
        new JournalWrite(id, slot, "", "", "FINALIZED").result(new byte[0]).to(bridge);
    }

    /** Sleeps until a time. */
    public void sleepUntil(int slot, long due) {
        open(slot, SlotKind.TIMER, "").due(due).to(bridge);
    }

    /** Waits for an approval, for ever. */
    public void waitForSignal(int slot) {
        open(slot, SlotKind.SIGNAL, "approval").due(Long.MAX_VALUE).to(bridge);
    }

    private JournalWrite open(int slot, SlotKind kind, String ofSignals) {
        return new JournalWrite(id, slot, ofSignals, "", kind.name());
    }

    /** Takes the first signal of a name into the slot of its wait; its content, or null. */
    public String take(int slot, String signal) throws Exception {
        Object[] taken = bridge.takeSignal(id, signal, String.valueOf(sequence()));
        if (taken == null) {
            return null;
        }
        String wait = (String) bridge.getCallResultFieldsAt(id, slot)[0];
        new JournalWrite(id, slot, wait, "", "FINALIZED").result((byte[]) taken[2]).to(bridge);
        return new String((byte[]) taken[2]);
    }

    public void clearFrom(int slot) {
        write(slot, null, "CLEARED").to(bridge);
    }

    public void succeed(int slot, String function, String result) {
        write(slot, function, "FINALIZED").result(result.getBytes()).to(bridge);
    }

    public void fail(int slot, String function, String exception) {
        write(slot, function, "FINALIZED").exception(exception.getBytes()).to(bridge);
    }

    /** The journal as {@code function STATUS payload attempt n due t}, by slot. */
    public List<String> journal() {
        List<String> calls = new ArrayList<>();
        for (Object call : bridge.getCalls(id)) {
            Object[] fields = (Object[]) call;
            byte[] payload = (byte[]) (fields[3] != null ? fields[3] : fields[4]);
            calls.add(
                    (fields[11].equals("CALL") ? fields[0] : (fields[11] + " " + fields[0]).trim())
                            + " "
                            + fields[2]
                            + (payload == null ? "" : " " + new String(payload))
                            + ((int) fields[6] == 1 ? "" : " attempt " + fields[6])
                            + (fields[7] == null ? "" : " due " + fields[7]));
        }
        return calls;
    }

    public void putState(String stateName, String value) {
        stateWrites.put(stateName, value == null ? null : value.getBytes());
    }

    /** Ends with these outputs; they are emitted when the operator's mail has run. */
    public void end(String... values) {
        outputs.addAll(List.of(values));
        host.ended(this);
        bridge.wake();
    }

    /** Ends with its own name as the only output, found when something else wakes. */
    public void endWithoutWake() {
        outputs.add(name);
        host.ended(this);
    }

    /** Ends with its own name as the only output. */
    public void end() {
        end(name);
    }

    /** Whether it has ended and waits for the operator's mail. */
    public boolean hasEnded() {
        return host.hasEnded(this);
    }

    @Override
    public String toString() {
        return name;
    }
}
