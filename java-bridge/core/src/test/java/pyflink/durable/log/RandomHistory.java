package pyflink.durable.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.flink.runtime.state.KeyGroupRange;

/**
 * Runs a job through appends, checkpoints, crashes, rescaling and restarts under new ids, in random
 * order, and demands after each restart that its journals are what they were before it.
 */
final class RandomHistory {

    private static final int SLOTS = 3;

    private final Map<String, String> settings;
    private final Random random;
    private final List<OpenLog> abandoned = new ArrayList<>();
    private final Map<OpenLog, KeyGroupRange> ranges = new HashMap<>();

    /** What all journals hold, by key group and slot; and what the snapshots of them do. */
    private final Map<String, LogEntry> journals = new HashMap<>();

    private final TreeMap<Long, Map<String, LogEntry>> snapshots = new TreeMap<>();
    private RestoredCheckpoint completed;
    private long lastCheckpoint;

    private List<OpenLog> subtasks = new ArrayList<>();
    private String job = "a0";
    private int attempt;
    private int jobs = 1;
    private int version;

    RandomHistory(Map<String, String> settings, long seed) {
        this.settings = settings;
        this.random = new Random(seed);
    }

    void run(int steps) throws Exception {
        start();
        for (int i = 0; i < steps; i++) {
            int dice = random.nextInt(11);
            if (dice == 10) {
                appendByAZombie();
            } else if (dice < 6) {
                append();
            } else if (dice < 8) {
                snapshot();
            } else if (dice < 9) {
                complete();
            } else {
                crash();
                start();
            }
        }
        subtasks.forEach(OpenLog::close);
        abandoned.forEach(OpenLog::close);
    }

    private void start() throws Exception {
        int parallelism = 1 + random.nextInt(3);
        Map<String, LogEntry> restored = new HashMap<>();
        if (completed != null) {
            restored.putAll(snapshots.get(completed.id()));
        }
        subtasks = new ArrayList<>();
        for (int i = 0; i < parallelism; i++) {
            TestAttempt next = TestAttempt.ofJob(job).attempt(attempt).subtask(i, parallelism);
            if (completed != null) {
                next.restoredFrom(completed.jobId(), completed.id());
            }
            subtasks.add(next.open(settings));
            ranges.put(subtasks.get(i), next.context().keyGroups());
            subtasks.get(i).recovered.forEach(entry -> restored.put(placeOf(entry), entry));
        }
        assertThat(restored).isEqualTo(journals);
    }

    private void append() throws Exception {
        int keyGroup = random.nextInt(TestAttempt.MAX_PARALLELISM);
        LogEntry entry = OpenLog.entry(keyGroup, random.nextInt(SLOTS), "v" + version++);
        journals.put(placeOf(entry), entry);
        subtaskOf(keyGroup).append(entry);
    }

    /** One that crashed had only stopped, and goes on: nothing of that counts. */
    private void appendByAZombie() {
        if (abandoned.isEmpty()) {
            return;
        }
        OpenLog zombie = abandoned.get(random.nextInt(abandoned.size()));
        for (int keyGroup : ranges.get(zombie)) {
            LogEntry late = OpenLog.entry(keyGroup, random.nextInt(SLOTS), "late" + version++);
            assertThatThrownBy(() -> zombie.append(late)).isInstanceOf(IOException.class);
        }
    }

    private OpenLog subtaskOf(int keyGroup) {
        return subtasks.get(keyGroup * subtasks.size() / TestAttempt.MAX_PARALLELISM);
    }

    private void snapshot() {
        lastCheckpoint++;
        subtasks.forEach(each -> each.log.onSnapshot(lastCheckpoint));
        snapshots.put(lastCheckpoint, new HashMap<>(journals));
    }

    private void complete() {
        boolean isPending = completed == null || completed.id() != lastCheckpoint;
        if (isPending && snapshots.containsKey(lastCheckpoint)) {
            completed = new RestoredCheckpoint(job, lastCheckpoint);
            subtasks.forEach(each -> each.log.onCheckpointComplete(lastCheckpoint));
        }
    }

    private void crash() {
        for (OpenLog each : subtasks) {
            if (random.nextBoolean()) {
                each.close();
            } else {
                abandoned.add(each);
            }
        }
        // snapshots that have not completed are gone
        snapshots.keySet().removeIf(id -> completed == null || id != completed.id());
        attempt++;
        if (completed != null && random.nextInt(3) == 0) {
            job = "a" + jobs++;
            attempt = 0;
        }
    }

    private static String placeOf(LogEntry entry) {
        return entry.keyGroup() + "/" + entry.slot();
    }
}
