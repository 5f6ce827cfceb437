package pyflink.durable.log;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.dropped;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.OpenLog.pending;
import static pyflink.durable.log.TestAttempt.MAX_PARALLELISM;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What any {@link CallLog} must do; each kind of log extends it. */
public abstract class CallLogConformance extends CallLogRestores {

    // ------------------------------------------------------------------ order and durability

    @Test
    void givesBackEntriesAsTheyWereInTheOrderOfTheirAppends() throws Exception {
        LogEntry[] entries = {
            pending(0, 0),
            entry(0, 0),
            pending(0, 1),
            dropped(0, 1),
            entry(0, 1),
            entry(0, 1, "2nd")
        };
        try (OpenLog log = open(ofJob("a0"))) {
            assertThat(log.recovered).isEmpty();
            log.append(entries);
        }
        try (OpenLog next = open(ofJob("a0").attempt(1))) {
            assertThat(next.recovered).containsExactly(entries);
        }
    }

    @Test
    void callsBackOncePerAppendInTheOrderOfTheAppends() throws Exception {
        int count = 2_000;
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(count);
        try (OpenLog log = open(ofJob("a0"))) {
            for (int i = 0; i < count; i++) {
                int slot = i;
                log.log.append(
                        entry(i % MAX_PARALLELISM, i),
                        failure -> {
                            order.add(failure == null ? slot : -1);
                            done.countDown();
                        });
            }
            assertThat(done.await(OpenLog.DEADLINE_SECONDS, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(order).isEqualTo(IntStream.range(0, count).boxed().collect(toList()));
    }

    @Test
    void keepsWhatWasDurableWhenItsProcessIsKilled() throws Exception {
        Process process = EndlessAppender.start(settings());
        int durable = 0;
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream()))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                if (line.startsWith("durable ")) {
                    durable = Integer.parseInt(line.substring("durable ".length()));
                }
                if (durable > 200) {
                    process.toHandle().destroyForcibly(); // leaves the pipe to be read out
                }
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThat(durable).isGreaterThan(200);
        try (OpenLog next = open(ofJob("a0").attempt(1))) {
            List<LogEntry> counted =
                    next.recovered.stream().filter(each -> each.keyGroup() == 0).collect(toList());
            assertThat(slots(counted)).startsWith(range(0, durable + 1));
        }
    }

    @Test
    void keepsWhatWasDurableWhenItIsNotClosed() throws Exception {
        OpenLog abandoned = open(ofJob("a0"));
        abandoned.append(entry(0, 0), entry(1, 0));
        try (OpenLog next = open(ofJob("a0").attempt(1))) {
            assertThat(next.recovered).containsExactlyInAnyOrder(entry(0, 0), entry(1, 0));
        } finally {
            abandoned.close();
        }
    }

    @Test
    void keepsAnEntryOfOneMegabyte() throws Exception {
        byte[] large = new byte[1 << 20];
        Arrays.fill(large, (byte) 'x');
        LogEntry[] entries = {
            entry(0, 0), entry(0, 1, large), entry(0, 2, large), entry(0, 3, large), entry(0, 4)
        };
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entries);
        }
        try (OpenLog next = open(ofJob("a0").attempt(1))) {
            assertThat(next.recovered).containsExactly(entries);
        }
    }

    @Test
    void takesAppendsFromManyThreads() throws Exception {
        int threads = 16;
        int each = 200;
        List<CompletableFuture<Void>> appends = Collections.synchronizedList(new ArrayList<>());
        try (OpenLog log = open(ofJob("a0"))) {
            List<Thread> running = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int thread = t;
                running.add(
                        new Thread(
                                () -> {
                                    for (int i = 0; i < each; i++) {
                                        appends.add(
                                                log.start(
                                                        entry(
                                                                thread % MAX_PARALLELISM,
                                                                thread * each + i)));
                                    }
                                }));
            }
            running.forEach(Thread::start);
            for (Thread thread : running) {
                thread.join();
            }
            OpenLog.await(CompletableFuture.allOf(appends.toArray(new CompletableFuture[0])));
        }
        try (OpenLog next = open(ofJob("a0").attempt(1))) {
            Map<Integer, List<Integer>> byThread =
                    slots(next.recovered).stream().collect(groupingBy(slot -> slot / each));
            assertThat(byThread).hasSize(threads);
            byThread.forEach(
                    (thread, slots) ->
                            assertThat(slots)
                                    .containsExactly(range(thread * each, (thread + 1) * each)));
        }
    }

    // ------------------------------------------------------------------ failures and the end

    @Test
    void closingAnswersEveryAppendAndKeepsThoseItCalledDurable() throws Exception {
        List<CompletableFuture<Void>> appends = new ArrayList<>();
        OpenLog log = open(ofJob("a0"));
        for (int i = 0; i < 500; i++) {
            appends.add(log.start(entry(0, i)));
        }
        log.close();
        assertThat(appends).allMatch(CompletableFuture::isDone);
        long durable = appends.stream().filter(a -> !a.isCompletedExceptionally()).count();
        try (OpenLog next = open(ofJob("a0").attempt(1))) {
            assertThat(slots(next.recovered)).startsWith(range(0, (int) durable));
        }
    }

    @Test
    void anAppendAfterTheCloseFails() throws Exception {
        OpenLog log = open(ofJob("a0"));
        log.close();
        assertThatThrownBy(() -> log.append(entry(0, 0))).hasMessageContaining("closed");
        log.close();
    }

    @Test
    void anAppendBeforeTheRecoveryIsAMistake() throws Exception {
        try (CallLog log =
                CallLogFactory.open(
                        settings(), ofJob("a0").context(), getClass().getClassLoader())) {
            assertThatThrownBy(() -> log.append(entry(0, 0), failure -> {}))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void refusesASettingItDoesNotKnow() {
        Map<String, String> mistyped = new HashMap<>(settings());
        mistyped.put("segmnt.size", "1 mb");
        assertThatThrownBy(() -> ofJob("a0").open(mistyped))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("segmnt.size");
    }

    // ------------------------------------------------------------------ checkpoints

    @Test
    void aRestoreTakesTheEntriesOfEpochsFromTheCheckpointOn() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry(0, 0));
            log.log.onSnapshot(1);
            log.append(entry(0, 1));
            log.log.onSnapshot(2);
            log.append(entry(0, 2));
        }
        try (OpenLog next = open(ofJob("a0").attempt(1).restoredFrom("a0", 1))) {
            assertThat(slots(next.recovered)).containsExactly(1, 2);
            next.append(entry(0, 3));
        }
        try (OpenLog next = open(ofJob("a0").attempt(2).restoredFrom("a0", 2))) {
            assertThat(slots(next.recovered)).containsExactly(2);
        }
    }

    @Test
    void aCompletedCheckpointDeletesWhatItCovers() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry(0, 0));
            log.log.onSnapshot(1);
            log.append(entry(0, 1));
            log.log.onSnapshot(2);
            log.append(entry(0, 2));
            log.log.onCheckpointComplete(2);
            log.append(entry(0, 3)); // behind the deletion
        }
        try (OpenLog next = open(ofJob("a0").attempt(1).restoredFrom("a0", 0))) {
            assertThat(slots(next.recovered)).containsExactly(2, 3);
        }
    }

    @Test
    void aCompletedCheckpointDeletesWhatWasRecoveredButNotWhatWasAppendedSince() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.log.onSnapshot(1);
            log.append(entry(0, 0), entry(1, 0));
            log.log.onSnapshot(2); // never completes
            log.append(entry(0, 1));
        }
        try (OpenLog next = open(ofJob("a0").attempt(1).restoredFrom("a0", 1))) {
            assertThat(next.recovered).hasSize(3);
            next.log.onCheckpointComplete(1); // came late: it says nothing of this attempt
            next.append(entry(1, 1));
            next.log.onSnapshot(3);
            next.start(entry(1, 0));
            next.log.onCheckpointComplete(3);
            next.append(entry(3, 0));
        }
        try (OpenLog next = open(ofJob("a0").attempt(2).restoredFrom("a0", 1))) {
            assertThat(next.recovered).containsExactlyInAnyOrder(entry(1, 0), entry(3, 0));
        }
    }

    @Test
    void aLateNotificationDeletesNothing() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.log.onSnapshot(1);
            log.append(entry(0, 0));
        }
        try (OpenLog next = open(ofJob("a0").attempt(1).restoredFrom("a0", 1))) {
            next.log.onCheckpointComplete(1);
            next.append(entry(0, 1));
        }
        try (OpenLog next = open(ofJob("a0").attempt(2).restoredFrom("a0", 1))) {
            assertThat(slots(next.recovered)).containsExactly(0, 1);
        }
    }
}
