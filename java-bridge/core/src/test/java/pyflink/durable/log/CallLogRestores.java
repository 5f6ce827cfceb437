package pyflink.durable.log;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.OpenLog.pending;
import static pyflink.durable.log.TestAttempt.MAX_PARALLELISM;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What any {@link CallLog} gives to a restore; each kind of log extends it. */
abstract class CallLogRestores {

    /** The settings of a log that is this test's own, the type included. */
    protected abstract Map<String, String> settings();

    protected final OpenLog open(TestAttempt attempt) throws Exception {
        return attempt.open(settings());
    }

    // ------------------------------------------------------------------ attempts and rescaling

    @Test
    void eachSubtaskTakesTheEntriesOfItsKeyGroupsWhateverTheParallelismWas() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.log.onSnapshot(1);
            for (int keyGroup = 0; keyGroup < MAX_PARALLELISM; keyGroup++) {
                log.append(entry(keyGroup, 0), entry(keyGroup, 1));
            }
        }
        for (int parallelism : new int[] {3, 2}) {
            List<Integer> keyGroups = new ArrayList<>();
            List<OpenLog> siblings = new ArrayList<>();
            for (int subtask = 0; subtask < parallelism; subtask++) {
                TestAttempt attempt = ofJob("a" + parallelism).subtask(subtask, parallelism);
                siblings.add(open(attempt.restoredFrom("a0", 1)));
            }
            for (OpenLog sibling : siblings) {
                Map<Integer, List<LogEntry>> byKeyGroup =
                        sibling.recovered.stream().collect(groupingBy(LogEntry::keyGroup));
                byKeyGroup.forEach(
                        (keyGroup, entries) ->
                                assertThat(slots(entries))
                                        .startsWith(0, 1)
                                        .doesNotHaveDuplicates());
                keyGroups.addAll(byKeyGroup.keySet());
                // siblings do not shut each other out
                for (int keyGroup : byKeyGroup.keySet()) {
                    sibling.append(entry(keyGroup, parallelism));
                }
            }
            siblings.forEach(OpenLog::close);
            assertThat(keyGroups).containsExactlyInAnyOrder(range(0, MAX_PARALLELISM));
        }
        try (OpenLog last = open(ofJob("b0").restoredFrom("a0", 1))) {
            assertThat(last.recovered).hasSize(4 * MAX_PARALLELISM);
        }
    }

    @Test
    void entriesOfSuccessiveAttemptsComeInTheOrderOfTheAttempts() throws Exception {
        try (OpenLog first = open(ofJob("a0"))) {
            first.log.onSnapshot(1);
            first.append(pending(0, 0));
            first.log.onSnapshot(2); // never completes
            first.append(pending(0, 1));
        }
        // a new JobManager counts attempts from 0 again
        try (OpenLog second = open(ofJob("a0").restoredFrom("a0", 1))) {
            second.append(entry(0, 0), entry(0, 1));
        }
        try (OpenLog third = open(ofJob("a0").restoredFrom("a0", 1))) {
            assertThat(third.recovered)
                    .containsExactly(pending(0, 0), pending(0, 1), entry(0, 0), entry(0, 1));
        }
    }

    // ------------------------------------------------------------------ histories

    /** Seeds of the {@link RandomHistory random histories} to run. */
    protected abstract long[] seeds();

    /** The settings of a log of its own for a seed. */
    protected abstract Map<String, String> settings(long seed);

    @Test
    void noEntryIsLostOrOvertakenInARandomHistory() throws Exception {
        for (long seed : seeds()) {
            try {
                new RandomHistory(settings(seed), seed).run(60);
            } catch (Throwable e) {
                throw new AssertionError("With the seed " + seed, e);
            }
        }
    }

    @Test
    void aJobWithoutStateTakesItsOwnEntriesButNotThoseOfAnEarlierJob() throws Exception {
        try (OpenLog earlier = open(ofJob("a0"))) {
            earlier.append(entry(0, 0));
            earlier.log.onSnapshot(57);
            earlier.append(entry(0, 1));
        }
        try (OpenLog fresh = open(ofJob("b0"))) {
            assertThat(fresh.recovered).isEmpty();
            fresh.append(entry(0, 2));
        }
        try (OpenLog failover = open(ofJob("b0").attempt(1))) {
            assertThat(slots(failover.recovered)).containsExactly(2);
            failover.log.onSnapshot(5);
            failover.append(entry(0, 3));
        }
        // 57 of the earlier job is not after 5 of this one
        try (OpenLog failover = open(ofJob("b0").attempt(2).restoredFrom("b0", 5))) {
            assertThat(slots(failover.recovered)).containsExactly(3);
        }
    }

    @Test
    void aJobWithAnEarlierJobsStateTakesThatJobsEntriesHoweverOftenItIsStarted() throws Exception {
        try (OpenLog earlier = open(ofJob("a0"))) {
            earlier.append(entry(0, 0));
            earlier.log.onSnapshot(9);
            earlier.append(entry(0, 1));
        }
        try (OpenLog started = open(ofJob("b0").restoredFrom("a0", 9))) {
            assertThat(slots(started.recovered)).containsExactly(1);
            started.append(entry(0, 2));
        }
        try (OpenLog failover = open(ofJob("b0").attempt(1).restoredFrom("a0", 9))) {
            assertThat(slots(failover.recovered)).containsExactly(1, 2);
        }
        try (OpenLog startedAgain = open(ofJob("c0").restoredFrom("a0", 9))) {
            assertThat(slots(startedAgain.recovered)).containsExactly(1, 2);
            startedAgain.log.onSnapshot(10);
            startedAgain.append(entry(0, 3));
        }
        try (OpenLog failover = open(ofJob("c0").attempt(1).restoredFrom("c0", 10))) {
            assertThat(slots(failover.recovered)).containsExactly(3);
        }
    }

    @Test
    void operatorsDoNotShareEntries() throws Exception {
        // uids that differ only in what a file or topic name cannot hold
        try (OpenLog one = open(ofJob("a0").uid("pay/in"));
                OpenLog other = open(ofJob("a0").uid("pay:in"))) {
            one.append(entry(0, 0));
            other.append(entry(0, 1));
        }
        try (OpenLog one = open(ofJob("a0").attempt(1).uid("pay/in"))) {
            assertThat(slots(one.recovered)).containsExactly(0);
        }
    }

    // ------------------------------------------------------------------ the right log

    @Test
    void aRestoreTakesNoOtherLogThanTheOneOfItsCheckpoint() throws Exception {
        String id;
        try (OpenLog log = open(ofJob("a0"))) {
            id = log.log.id();
        }
        TestAttempt restored = ofJob("a0").attempt(1).restoredFrom("a0", 4);
        try (OpenLog same = open(restored.expecting(id))) {
            assertThat(same.log.id()).isEqualTo(id);
        }
        assertThatThrownBy(() -> open(restored.expecting("another")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("checkpoint 4 of job a0 goes with the call log another")
                .hasMessageContaining("is the log " + id)
                .hasMessageContaining("instead_of=\"another\"");
    }

    @Test
    void aRestoreMakesNoLogWhereOneShouldBe() throws Exception {
        TestAttempt restored = ofJob("a0").restoredFrom("a0", 4);
        for (int i = 0; i < 2; i++) { // the first must not have made it for the second
            assertThatThrownBy(() -> open(restored.expecting("another")))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("goes with the call log another, and there is none in");
        }
        // release 0.1 did not tell which log it was
        assertThatThrownBy(() -> open(restored.expecting(CallLogContext.ANY_LOG)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("goes with the call log a0, and there is none in")
                .hasMessageContaining("instead_of=\"a0\"");
        open(restored.expecting(null)).close();
        open(restored.expecting(CallLogContext.ANY_LOG)).close();
    }

    @Test
    void subtasksThatMakeTheLogTogetherMakeOne() throws Exception {
        int subtasks = MAX_PARALLELISM;
        List<CompletableFuture<String>> ids = new ArrayList<>();
        for (int i = 0; i < subtasks; i++) {
            TestAttempt attempt = ofJob("a0").subtask(i, subtasks);
            CompletableFuture<String> id = new CompletableFuture<>();
            ids.add(id);
            new Thread(
                            () -> {
                                try (OpenLog log = open(attempt)) {
                                    id.complete(log.log.id());
                                } catch (Throwable e) {
                                    id.completeExceptionally(e);
                                }
                            })
                    .start();
        }
        List<String> made = new ArrayList<>();
        for (CompletableFuture<String> each : ids) {
            made.add(each.get(OpenLog.DEADLINE_SECONDS, TimeUnit.SECONDS));
        }
        assertThat(made).hasSize(subtasks).containsOnly(made.get(0));
    }

    protected static List<Integer> slots(List<LogEntry> entries) {
        return entries.stream().map(LogEntry::slot).collect(toList());
    }

    static Integer[] range(int from, int to) {
        return IntStream.range(from, to).boxed().toArray(Integer[]::new);
    }
}
