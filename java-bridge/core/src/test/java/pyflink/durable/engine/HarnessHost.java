package pyflink.durable.engine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import javax.annotation.Nullable;
import org.apache.flink.types.Row;
import pyflink.durable.operator.DurableBridge;

/**
 * Runs handlers that the test drives by hand, in the place of Python's: see {@link HarnessHandler}.
 * Its reports have the layout of the Python host.
 */
public final class HarnessHost implements HandlerHost<Row, Row> {

    private static final Object[] NOTHING = {};

    private final boolean logged;
    private final Map<Long, HarnessHandler> running = new LinkedHashMap<>();
    private final Queue<HarnessHandler> ended = new ConcurrentLinkedQueue<>();
    private final List<Object> stepWrites = new ArrayList<>();
    private final Map<Long, List<Object>> leftOut = new HashMap<>();
    private final List<String> started = new ArrayList<>();
    private final List<List<String>> starts = new ArrayList<>();
    private final List<String> releases = new ArrayList<>();
    private final List<Integer> releasesOfSteps = new ArrayList<>();
    private final List<String> signalled = new ArrayList<>();
    private final List<String> asked = new ArrayList<>();
    private int keptCount;
    private int startsPerStep = Integer.MAX_VALUE;
    private Consumer<HarnessHandler> onStart = handler -> {};
    private Consumer<HarnessHandler> onRelease = handler -> {};
    private DurableBridge bridge;
    private HostRequests engine;
    private LongSupplier clock;

    /**
     * @param logged whether the operator has a call log
     */
    public HarnessHost(boolean logged) {
        this.logged = logged;
    }

    /** As the Python host is opened, with what it may ask for. */
    public void open(DurableBridge newBridge, HostRequests newEngine, LongSupplier newClock) {
        bridge = newBridge;
        engine = newEngine;
        clock = newClock;
    }

    // ------------------------------------------------------------------ what the engine asks for

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
        HarnessHandler handler = new HarnessHandler(this, bridge, engine, invocation);
        running.put(handler.id(), handler);
        started.add(handler.toString());
        onStart.accept(handler);
    }

    @Override
    public Object[] resume(@Nullable Object[] released) {
        if (released != null) {
            releasesOfSteps.add(released.length / 3);
        }
        for (int i = 0; released != null && i < released.length; i += 3) {
            HarnessHandler handler = running.get((long) released[i]);
            String error = (String) released[i + 2];
            releases.add(
                    handler + " " + released[i + 1] + (error == null ? "" : " failed: " + error));
            onRelease.accept(handler);
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
    public Object[] park(Object[] invocations) {
        List<Object> letGo = new ArrayList<>();
        for (Object id : invocations) {
            HarnessHandler handler = running.get(id);
            asked.add(String.valueOf(handler));
            Object[] waits = handler == null ? null : handler.waits(clock.getAsLong());
            if (waits != null) {
                running.remove(handler.id());
                letGo.addAll(List.of(id, waits[0], waits[1]));
            }
        }
        return letGo.toArray();
    }

    @Override
    public Object[] refuse(Row key, Row value, int most) {
        return new Object[] {"refused " + key.getField(0) + ":" + value.getField(1)};
    }

    /** The content is {@code name value id invocation}, as far as there is one. */
    @Override
    public Object[] readSignal(byte[] content, Object key) {
        String[] fields = new String(content).split(" ");
        String id = fields.length > 2 && !fields[2].equals("-") ? fields[2] : null;
        String invocation = fields.length > 3 ? fields[3] : null;
        Long sequence = invocation == null ? null : Long.valueOf(invocation);
        String refused = fields[0].equals("forged") ? "forged" : null;
        byte[] kept = fields[0].equals("sealed") ? "sealed by the host".getBytes() : null;
        return new Object[] {fields[0], id, invocation, sequence, refused, kept};
    }

    @Override
    public void signalled(long invocation) {
        signalled.add(running.get(invocation).toString());
    }

    @Override
    public Object[] unclaimed(Object[] signals) {
        List<Object> outputs = new ArrayList<>();
        for (int i = 1; i < signals.length; i += 3) {
            String reason = (String) signals[i + 1];
            outputs.add(
                    "unclaimed "
                            + new String((byte[]) signals[i])
                            + (reason.equals("nobody took it") ? "" : ": " + reason));
        }
        return outputs.toArray();
    }

    @Override
    public void close() {}

    /** As the Python host does before the handler starts; the value stands for its digest. */
    private void identify(Invocation<Row, Row> invocation) {
        String digest = String.valueOf(invocation.input().value().getField(1));
        String number = String.valueOf(invocation.input().sequence());
        try {
            int slots = bridge.identify(invocation.id(), number, digest);
            if (slots == HostRequests.OTHER_VERSION) {
                String older = digest.substring(digest.indexOf(':') + 1);
                bridge.identify(invocation.id(), number, older);
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
        HarnessHandler handler;
        while ((handler = ended.poll()) != null) {
            running.remove(handler.id());
            leftOut.put(handler.id(), new ArrayList<>());
            ends.add(handler.id());
            ends.add(outputs.size());
            boolean writes = !handler.stateWrites().isEmpty();
            ends.add(writes ? handler.stateWrites().keySet().toArray() : null);
            ends.add(writes ? handler.stateWrites().values().toArray() : null);
            outputs.addAll(handler.outputs());
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

    // ------------------------------------------------------------------ what a handler tells

    void wrote(JournalWrite write) {
        stepWrites.addAll(Arrays.asList(write.build()));
    }

    void ended(HarnessHandler handler) {
        ended.add(handler);
    }

    boolean hasEnded(HarnessHandler handler) {
        return ended.contains(handler);
    }

    // ------------------------------------------------------------------ what the test says

    /** There is time for so many starts in a step. */
    public void startsPerStep(int most) {
        startsPerStep = most;
    }

    /** What the test lets every handler do when it starts. */
    public void onStart(Consumer<HarnessHandler> action) {
        onStart = action;
    }

    /** What the test lets every handler do when a call of it is released. */
    public void onRelease(Consumer<HarnessHandler> action) {
        onRelease = action;
    }

    // ------------------------------------------------------------------ what the test asks

    /** The calls that were released since the last time this was asked, as {@code name slot}. */
    public List<String> takeReleases() {
        List<String> taken = new ArrayList<>(releases);
        releases.clear();
        return taken;
    }

    /** How many calls were released in each step that released any. */
    public List<Integer> releasesOfSteps() {
        return releasesOfSteps;
    }

    /** The handlers that were told to look for signals since the last time this was asked. */
    public List<String> takeSignalled() {
        List<String> taken = new ArrayList<>(signalled);
        signalled.clear();
        return taken;
    }

    /** The handlers that were to be parked, each time they were. */
    public List<String> asked() {
        return asked;
    }

    /** Every handler that was ever started, as {@code key:value}. */
    public List<String> started() {
        return started;
    }

    /** The same, by the step in which they were started. */
    public List<List<String>> starts() {
        return starts;
    }

    /** How many invocations had writes kept that would have been left out. */
    public int kept() {
        return keptCount;
    }

    /** The handlers that run, in order of their start. */
    public List<HarnessHandler> running() {
        return new ArrayList<>(running.values());
    }

    /** The running handler of an input. */
    public HarnessHandler handler(String keyAndValue) {
        return running().stream()
                .filter(handler -> handler.toString().equals(keyAndValue))
                .findFirst()
                .orElseThrow(
                        () ->
                                new AssertionError(
                                        keyAndValue + " does not run; running are " + running()));
    }
}
