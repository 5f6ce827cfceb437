package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.MemoryCallLog;

/**
 * A job of {@link RandomLivenessTest}: what is around its subtasks. Source, outside world, clock
 * and JobManager take a step each time that nothing else runs: between mails, and while a subtask
 * waits for room or for its end, in the waits themselves. A failure then unwinds them.
 */
final class RandomJob {

    /** As in Python; the last one has a single subtask, as its log has. */
    enum Level {
        CHECKPOINT,
        GATED,
        WRITE_AHEAD
    }

    static final long INTERVAL = 1_000;

    /** The drain's limit is another test's. */
    private static final long DRAIN_TIMEOUT = 1_000_000_000;

    /** So many steps without a move are a hang: each kind of step has come hundreds of times. */
    private static final int PATIENCE = 4_000;

    /** A failure of the job, out of whatever its subtasks wait in. */
    private static final class Crash extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** What a failover goes back to. */
    private static final class Checkpoint {
        private final List<RandomSubtask> missing;
        private final List<RandomSubtask> subtasks;
        private final List<Long> ids = new ArrayList<>();
        private final List<OperatorSubtaskState> states = new ArrayList<>();
        private final Set<Integer> taken;
        private final List<String> outputs;

        /** Of an attempt that was restored from another one, or from none. */
        Checkpoint(List<RandomSubtask> subtasks, @Nullable Checkpoint before) {
            this.subtasks = subtasks;
            this.missing = new ArrayList<>(subtasks);
            this.taken = before == null ? new HashSet<>() : new HashSet<>(before.taken);
            this.outputs = before == null ? new ArrayList<>() : new ArrayList<>(before.outputs);
        }

        void add(RandomSubtask subtask) throws Exception {
            missing.remove(subtask);
            long id = subtask.harness.checkpoint();
            ids.add(id);
            states.add(subtask.harness.snapshotOf(id));
            taken.addAll(subtask.taken);
            outputs.addAll(subtask.harness.outputs());
        }

        long idOf(RandomSubtask subtask) {
            return ids.get(subtask.index);
        }
    }

    final Level level;
    final Random random;
    final RandomSettings settings;
    @Nullable private final MemoryCallLog log;
    private final List<String> inputs;
    private final Set<String> made = new HashSet<>();

    private List<RandomSubtask> subtasks = List.of();
    private final Deque<RandomSubtask> waiting = new ArrayDeque<>();
    @Nullable private Checkpoint restored;
    @Nullable private Checkpoint begun;
    @Nullable private Checkpoint completed;
    private int crashesLeft;
    private long time;
    private int stepsWithoutMove;

    RandomJob(Level level, int seed) {
        this.level = level;
        random = new Random(seed);
        settings = new RandomSettings(random);
        crashesLeft = random.nextInt(4);
        inputs = settings.inputs();
        log = level == Level.WRITE_AHEAD ? new MemoryCallLog() : null;
    }

    void run() throws Exception {
        int parallelism = level == Level.WRITE_AHEAD ? 1 : 1 + random.nextInt(3);
        try {
            while (true) {
                open(parallelism);
                try {
                    while (!subtasks.stream().allMatch(subtask -> subtask.hasEnded)) {
                        step();
                    }
                    break;
                } catch (Crash crash) {
                    closeAll();
                    parallelism =
                            log == null && random.nextInt(3) == 0
                                    ? 1 + random.nextInt(3)
                                    : parallelism;
                }
            }
            List<String> outputs =
                    restored == null ? new ArrayList<>() : new ArrayList<>(restored.outputs);
            subtasks.forEach(subtask -> outputs.addAll(subtask.harness.outputs()));
            assertThat(outputs).containsExactlyInAnyOrderElementsOf(inputs);
        } finally {
            closeAll();
        }
    }

    // ------------------------------------------------------------------ attempts

    private void open(int parallelism) throws Exception {
        restored = completed;
        begun = null;
        waiting.clear();
        moved();
        List<RandomSubtask> opened = new ArrayList<>();
        subtasks = opened;
        for (int i = 0; i < parallelism; i++) {
            DurableHarness.Setup setup =
                    DurableHarness.setup()
                            .limits(settings.maxInFlight, settings.maxPending)
                            .checkpoints(INTERVAL, DRAIN_TIMEOUT)
                            .subtask(i, parallelism);
            if (log != null) {
                setup.callLog(log);
            }
            DurableHarness harness =
                    restored == null
                            ? setup.open()
                            : setup.open(stateOf(restored, i, parallelism), restored.ids.get(0));
            opened.add(new RandomSubtask(this, i, harness, log));
        }
        Set<Integer> taken = restored == null ? Set.of() : restored.taken;
        for (int number = 0; number < inputs.size(); number++) {
            if (!taken.contains(number)) {
                String key = inputs.get(number).split(":")[0];
                opened.get(DurableHarness.subtaskOf(key, parallelism)).toCome.add(number);
            }
        }
    }

    private static OperatorSubtaskState stateOf(Checkpoint from, int subtask, int parallelism)
            throws Exception {
        int before = from.states.size();
        if (before == 1 && parallelism == 1) {
            return from.states.get(0);
        }
        OperatorSubtaskState together =
                DurableHarness.together(from.states.toArray(new OperatorSubtaskState[0]));
        return DurableHarness.part(together, before, subtask, parallelism);
    }

    private void closeAll() throws Exception {
        for (RandomSubtask subtask : subtasks) {
            subtask.harness.close();
        }
        subtasks = List.of();
    }

    // ------------------------------------------------------------------ steps

    /** Has something happen, outside or in one of the subtasks. */
    private void step() throws Exception {
        requireMoves();
        time += 1 + random.nextInt(50);
        for (RandomSubtask subtask : subtasks) {
            subtask.harness.flink.setProcessingTime(time);
        }
        RandomSubtask subtask = subtasks.get(random.nextInt(subtasks.size()));
        int dice = random.nextInt(100);
        if (dice < 25) {
            feed(subtask);
        } else if (dice < 55) {
            subtask.host.endACall();
        } else if (dice < 84) {
            if (subtask != waiting.peek()) { // else it runs its mails itself
                subtask.runAMail();
            }
        } else if (dice < 90) {
            goOnWithCheckpoint();
        } else if (dice < 95) {
            subtask.flushLog();
        } else if (dice < 99) {
            subtask.turnConsumer();
        } else if (crashesLeft > 0 && random.nextInt(2) == 0) {
            crashesLeft--;
            throw new Crash();
        }
    }

    private void feed(RandomSubtask subtask) throws Exception {
        if (waiting.contains(subtask) || subtask.hasEnded) {
            return;
        }
        waiting.push(subtask);
        subtask.waits(this::step, () -> waiting.peek() == subtask);
        if (subtask.toCome.isEmpty()) {
            subtask.harness.flink.endInput();
            subtask.hasEnded = true;
        } else {
            subtask.takeNext(inputs);
        }
        waiting.pop();
        subtask.waitIsOver();
        moved();
    }

    private void goOnWithCheckpoint() throws Exception {
        if (begun == null) {
            begun = new Checkpoint(subtasks, restored);
        } else if (random.nextInt(8) == 0) {
            abortCheckpoint();
        } else if (!begun.missing.isEmpty()) {
            begun.add(begun.missing.get(0));
        } else {
            completed = begun;
            begun = null;
            for (RandomSubtask subtask : subtasks) {
                if (random.nextInt(10) > 0) { // else the news is lost
                    tell(subtask, completed);
                }
            }
        }
    }

    private void abortCheckpoint() throws Exception {
        Checkpoint aborted = begun;
        begun = null;
        for (RandomSubtask subtask : subtasks.subList(0, aborted.ids.size())) {
            subtask.harness.operator.notifyCheckpointAborted(aborted.idOf(subtask));
            if (completed != null && completed.subtasks == subtasks) {
                tell(subtask, completed); // as Flink does
            }
        }
    }

    private static void tell(RandomSubtask subtask, Checkpoint checkpoint) throws Exception {
        subtask.harness.flink.notifyOfCompletedCheckpoint(checkpoint.idOf(subtask));
    }

    // ------------------------------------------------------------------ the outside

    /** A call reaches the outside. */
    void make(String call) {
        moved();
        boolean isNew = made.add(call);
        if (level != Level.CHECKPOINT) {
            assertThat(isNew).as("%s was made before", call).isTrue();
        }
    }

    boolean wasMade(String call) {
        return made.contains(call);
    }

    void moved() {
        stepsWithoutMove = 0;
    }

    private void requireMoves() {
        stepsWithoutMove++;
        if (stepsWithoutMove > PATIENCE) {
            throw new AssertionError(
                    "Nothing has moved for "
                            + PATIENCE
                            + " steps. "
                            + settings
                            + ". "
                            + subtasks.stream()
                                    .map(RandomSubtask::toString)
                                    .collect(Collectors.joining("; ")));
        }
    }
}
