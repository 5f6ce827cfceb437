package pyflink.durable.operator;

import static pyflink.durable.journal.Call.NO_TIME;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunction;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunctionInfo;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.types.Row;

/**
 * The real operator, whose handlers the test drives by hand: it has another {@link HandlerHost}
 * than the one in Python's interpreter, which it does not open.
 */
final class HarnessOperator extends DurableKeyedProcessOperator<Row, Row, String> {

    static final String NAME = "durable";
    static final String UID = "durable-uid";

    private static final long serialVersionUID = 1L;

    private static final Object[] NOTHING = {};

    private final boolean logged;
    private final HarnessNetwork network = new HarnessNetwork();
    private Supplier<CompletableFuture<?>> outputAvailable =
            () -> CompletableFuture.completedFuture(null);
    private Runnable onEmit = () -> {};
    private int keptCount;
    private int startsPerStep = Integer.MAX_VALUE;

    // the place of the Python host
    private transient Map<Long, Handler> running;
    private transient Queue<Handler> ended;
    private transient List<Object> stepWrites;
    private transient List<String> started;
    private transient List<List<String>> starts;
    private transient StateAccesses accesses;
    private transient Map<Long, List<Object>> leftOut;
    private transient List<String> releases;
    private transient List<Integer> releasesOfSteps;
    private Consumer<HarnessOperator.Handler> onStart = handler -> {};
    private Consumer<HarnessOperator.Handler> onRelease = handler -> {};

    /**
     * @param keyField the type of the only field of the key
     * @param callLog settings of the call log, null for an operator without one
     */
    HarnessOperator(
            TypeInformation<?> keyField,
            Limits limits,
            Retention retention,
            @Nullable Map<String, String> callLog) {
        super(
                new Configuration(),
                new DataStreamPythonFunctionInfo(
                        new DataStreamPythonFunction(new byte[0], null), 0),
                Types.ROW(keyField, Types.STRING),
                Types.STRING,
                NAME,
                UID,
                limits,
                retention,
                callLog);
        this.logged = callLog != null;
    }

    // ------------------------------------------------------------------ the place of the host

    @Override
    HandlerHost<Row, Row> newHost() {
        return new TestHost();
    }

    @Override
    void openHost() {
        collector = new TimestampedCollector<>(output);
        running = new LinkedHashMap<>();
        ended = new ConcurrentLinkedQueue<>();
        stepWrites = new ArrayList<>();
        started = new ArrayList<>();
        starts = new ArrayList<>();
        accesses = new StateAccesses();
        releases = new ArrayList<>();
        leftOut = new HashMap<>();
        releasesOfSteps = new ArrayList<>();
        getRuntimeContext().setKeyedStateStore(accesses.watch(getKeyedStateStore()));
    }

    private final class TestHost implements HandlerHost<Row, Row> {
        @Override
        public void checkKey(Row key) {}

        @Override
        public Object[] start(List<Invocation<Row, Row>> invocations, long millis) {
            int from = started.size();
            int count = Math.min(invocations.size(), startsPerStep);
            for (Invocation<Row, Row> invocation : invocations.subList(0, count)) {
                start(invocation);
            }
            starts.add(List.copyOf(started.subList(from, started.size())));
            Object[] report = report();
            return report == null
                    ? new Object[] {count, 0, NOTHING, NOTHING, NOTHING}
                    : new Object[] {count, report[0], report[1], report[2], report[3]};
        }

        private void start(Invocation<Row, Row> invocation) {
            if (logged) {
                identify(invocation);
            }
            Handler handler = new Handler(invocation);
            running.put(handler.id, handler);
            started.add(handler.toString());
            onStart.accept(handler);
        }

        @Override
        public Object[] resume(@Nullable Object[] released) {
            if (released != null) {
                releasesOfSteps.add(released.length / 3);
            }
            for (int i = 0; released != null && i < released.length; i += 3) {
                Handler handler = running.get((long) released[i]);
                handler.released((int) released[i + 1], (String) released[i + 2]);
            }
            return report();
        }

        @Override
        public Object[] keep(Object[] invocations) {
            List<Object> kept = new ArrayList<>();
            keptCount += invocations.length;
            for (Object invocation : invocations) {
                kept.addAll(leftOut.getOrDefault(invocation, List.of()));
            }
            return kept.toArray();
        }

        @Override
        public void close() {}
    }

    /** As the Python host does before the handler starts; the value stands for its digest. */
    private void identify(Invocation<Row, Row> invocation) {
        String digest = String.valueOf(invocation.input().value().getField(1));
        String number = String.valueOf(invocation.input().sequence());
        try {
            int slots = bridge().identify(invocation.id(), number, digest);
            if (slots == WriteAhead.OTHER_VERSION) {
                String older = digest.substring(digest.indexOf(':') + 1);
                bridge().identify(invocation.id(), number, older);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The report of a step, in the layout of the Python host. */
    private Object[] report() {
        List<Object> ends = new ArrayList<>();
        List<Object> outputs = new ArrayList<>();
        leftOut.clear();
        Handler handler;
        while ((handler = ended.poll()) != null) {
            running.remove(handler.id);
            leftOut.put(handler.id, new ArrayList<>());
            ends.add(handler.id);
            ends.add(outputs.size());
            boolean writes = !handler.stateWrites.isEmpty();
            ends.add(writes ? handler.stateWrites.keySet().toArray() : null);
            ends.add(writes ? handler.stateWrites.values().toArray() : null);
            outputs.addAll(handler.outputs);
        }
        Object[] writes = takeStepWrites();
        if (ends.isEmpty() && writes.length == 0) {
            return null;
        }
        return new Object[] {
            writes.length / JournalWrites.FIELDS, writes, ends.toArray(), outputs.toArray()
        };
    }

    /** What those wrote in the step that go on; what the others wrote is left out. */
    private Object[] takeStepWrites() {
        List<Object> ofRunning = new ArrayList<>();
        for (int i = 0; i < stepWrites.size(); i += JournalWrites.FIELDS) {
            leftOut.getOrDefault(stepWrites.get(i), ofRunning)
                    .addAll(stepWrites.subList(i, i + JournalWrites.FIELDS));
        }
        stepWrites.clear();
        return ofRunning.toArray();
    }

    /** There is time for so many starts in a step. */
    void startsPerStep(int most) {
        startsPerStep = most;
    }

    /** What the test lets every handler do when it starts. */
    void onStart(Consumer<HarnessOperator.Handler> action) {
        onStart = action;
    }

    /** What the test lets every handler do when a call of it is released. */
    void onRelease(Consumer<HarnessOperator.Handler> action) {
        onRelease = action;
    }

    /** The calls that were released since the last time this was asked, as {@code name slot}. */
    List<String> takeReleases() {
        List<String> taken = new ArrayList<>(releases);
        releases.clear();
        return taken;
    }

    /** How many calls were released in each step that released any. */
    List<Integer> releasesOfSteps() {
        return releasesOfSteps;
    }

    /** Every handler that was ever started, as {@code key:value}. */
    List<String> started() {
        return started;
    }

    /** The same, by the step in which they were started. */
    List<List<String>> starts() {
        return starts;
    }

    /** The handlers that run, in order of their start. */
    List<Handler> running() {
        return new ArrayList<>(running.values());
    }

    /** The running handler of an input. */
    Handler handler(String keyAndValue) {
        return running().stream()
                .filter(handler -> handler.toString().equals(keyAndValue))
                .findFirst()
                .orElseThrow(
                        () ->
                                new AssertionError(
                                        keyAndValue + " does not run; running are " + running()));
    }

    DurableBridge bridge() {
        return engine().bridge();
    }

    /** Takes the test's mails, which come behind those that are there. */
    MailboxExecutor mailbox() {
        return getContainingTask()
                .getMailboxExecutorFactory()
                .createExecutor(TaskMailbox.MIN_PRIORITY);
    }

    InvocationScheduler<Row, Row> scheduler() {
        return engine().scheduler();
    }

    @Override
    public CompletableFuture<?> outputAvailable() {
        return outputAvailable.get();
    }

    /** The operators behind take outputs when what this gives is done. */
    void outputAvailable(Supplier<CompletableFuture<?>> available) {
        outputAvailable = available;
    }

    @Override
    public void emit(@Nullable Long timestamp, Object[] outputs, int from, int to) {
        super.emit(timestamp, outputs, from, to);
        onEmit.run();
    }

    /** How many invocations had writes kept that would have been left out. */
    int kept() {
        return keptCount;
    }

    /** What the operators behind do when an invocation's outputs come. */
    void onEmit(Runnable action) {
        onEmit = action;
    }

    @Override
    public HarnessNetwork network() {
        return network;
    }

    StateAccesses accesses() {
        return accesses;
    }

    /** A handler driven by the test: it makes calls, gets their outcomes, ends. */
    final class Handler {
        private final long id;
        private final String name;
        private final Invocation<Row, Row> invocation;
        private final int restoredSlots;
        private final List<String> outputs = new ArrayList<>();
        private final Map<String, byte[]> stateWrites = new LinkedHashMap<>();

        private Handler(Invocation<Row, Row> invocation) {
            this.id = invocation.id();
            this.invocation = invocation;
            this.restoredSlots = invocation.journal().size();
            this.name = invocation.key().getField(0) + ":" + invocation.input().value().getField(1);
        }

        long id() {
            return id;
        }

        Long timestamp() {
            return invocation.input().timestamp();
        }

        long sequence() {
            return invocation.input().sequence();
        }

        /** How many slots its journal had when it started. */
        int restoredSlots() {
            return restoredSlots;
        }

        /** Tells with the step that runs of a call that was made in it. */
        void recordInStep(int slot, String function, String result) {
            writeInStep(write(slot, function, "RECORDED").result(result.getBytes()));
        }

        /** Announces a call with the report of the step that runs, as {@code async} handlers do. */
        void callInStep(int slot, String function) {
            writeInStep(write(slot, function, "PENDING"));
        }

        private JournalWrite write(int slot, String function, String what) {
            return new JournalWrite(id, slot, function, "digest", what);
        }

        private void writeInStep(JournalWrite write) {
            stepWrites.addAll(Arrays.asList(write.build()));
        }

        /** Announces a call at once, as {@code def} handlers do from their worker threads. */
        void call(int slot, String function) {
            bridge().appendPendingCallAt(id, slot, function, "digest", NO_TIME, 0, null);
        }

        /** Announces a call that waits for a checkpoint, from a worker thread. */
        void callGated(int slot, String function) {
            bridge().appendPendingCallAt(id, slot, function, "digest", NO_TIME, 0, "CHECKPOINT");
        }

        /** The same with the report of the step that runs. */
        void callGatedInStep(int slot, String function) {
            writeInStep(write(slot, function, "PENDING").hold("CHECKPOINT"));
        }

        /** The second half of {@link #callGated}, when the first was {@link #call}. */
        void enterGate(int slot) {
            engine().written(invocation, slot, "CHECKPOINT");
        }

        void startAttemptGated(int slot, String function, int attempt) {
            bridge().startAttemptAt(id, slot, function, "digest", attempt, "CHECKPOINT");
        }

        /** As an {@code async} handler retries a call that was found in doubt. */
        void startAttemptGatedInStep(int slot, String function, int attempt) {
            writeInStep(write(slot, function, "ATTEMPT").attempt(attempt).hold("CHECKPOINT"));
        }

        private void released(int slot, @Nullable String error) {
            releases.add(name + " " + slot + (error == null ? "" : " failed: " + error));
            onRelease.accept(this);
        }

        void startAttempt(int slot, String function, int attempt) {
            bridge().startAttemptAt(id, slot, function, "digest", attempt, null);
        }

        void schedule(int slot, String function, int attempt, long due) {
            bridge().scheduleCallAt(id, slot, function, "digest", attempt, due, NO_TIME, 0);
        }

        /** Announces a call that waits for the call log. */
        void callLogged(int slot, String function) {
            bridge().appendPendingCallAt(id, slot, function, "digest", NO_TIME, 0, "LOG");
        }

        /** Gives an outcome that waits for the call log. */
        void succeedLogged(int slot, String function, String result) {
            bridge().finalizeCallAt(
                            id, slot, function, "digest", result.getBytes(), null, NO_TIME, "LOG");
        }

        void clearFrom(int slot) {
            bridge().clearCallResultsFrom(id, slot);
        }

        void succeed(int slot, String function, String result) {
            bridge().finalizeCallAt(
                            id, slot, function, "digest", result.getBytes(), null, NO_TIME, null);
        }

        void fail(int slot, String function, String exception) {
            bridge().finalizeCallAt(
                            id,
                            slot,
                            function,
                            "digest",
                            null,
                            exception.getBytes(),
                            NO_TIME,
                            null);
        }

        /** The journal as {@code function STATUS payload attempt n due t}, by slot. */
        List<String> journal() {
            List<String> calls = new ArrayList<>();
            for (Object call : bridge().getCalls(id)) {
                Object[] fields = (Object[]) call;
                byte[] payload = (byte[]) (fields[3] != null ? fields[3] : fields[4]);
                calls.add(
                        fields[0]
                                + " "
                                + fields[2]
                                + (payload == null ? "" : " " + new String(payload))
                                + ((int) fields[6] == 1 ? "" : " attempt " + fields[6])
                                + (fields[7] == null ? "" : " due " + fields[7]));
            }
            return calls;
        }

        void putState(String stateName, String value) {
            stateWrites.put(stateName, value == null ? null : value.getBytes());
        }

        /** Ends with these outputs; they are emitted when the operator's mail has run. */
        void end(String... values) {
            outputs.addAll(List.of(values));
            ended.add(this);
            bridge().wake();
        }

        /** Ends with its own name as the only output, found when something else wakes. */
        void endWithoutWake() {
            outputs.add(name);
            ended.add(this);
        }

        /** Ends with its own name as the only output. */
        void end() {
            end(name);
        }

        /** Whether it has ended and waits for the operator's mail. */
        boolean hasEnded() {
            return ended.contains(this);
        }

        @Override
        public String toString() {
            return name;
        }
    }
}
