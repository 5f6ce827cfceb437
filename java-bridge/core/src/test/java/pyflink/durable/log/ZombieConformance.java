package pyflink.durable.log;

import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.OpenLog.pending;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What any {@link CallLog} does with zombies: attempts that stopped, were succeeded, and go on. A
 * zombie's append is in what its successor reads, or it fails and nobody ever reads it.
 */
public abstract class ZombieConformance {

    private static final long DEADLINE_SECONDS = 120;

    private static final String TAKEN_OVER = "has taken over the call log";

    /** The settings of a log that is this test's own, the type included. */
    protected abstract Map<String, String> settings();

    protected final OpenLog open(TestAttempt attempt) throws Exception {
        return attempt.open(settings());
    }

    /** How far the successor has come when the zombie goes on. */
    enum Successor {
        HAS_READ,
        HAS_WRITTEN,
        IS_CHECKPOINTED;

        void goOn(OpenLog log) throws Exception {
            if (this != HAS_READ) {
                log.append(entry(0, 0, "of the successor"));
            }
            if (this == IS_CHECKPOINTED) {
                log.log.onSnapshot(8);
                log.log.onCheckpointComplete(8);
                log.append(entry(5, 0)); // behind the deletion
            }
        }

        TestAttempt next() {
            TestAttempt next = ofJob("a0").attempt(2);
            return next.restoredFrom("a0", this == IS_CHECKPOINTED ? 8 : 4);
        }

        List<LogEntry> leaves() {
            switch (this) {
                case HAS_READ:
                    return List.of(pending(0, 0));
                case HAS_WRITTEN:
                    return List.of(pending(0, 0), entry(0, 0, "of the successor"));
                default:
                    return List.of(entry(5, 0));
            }
        }
    }

    /** At a checkpoint, so that what came before is deleted; then it begins a call. */
    private OpenLog attemptThatWillBeAZombie() throws Exception {
        OpenLog log = open(ofJob("a0"));
        log.append(entry(0, 9));
        log.log.onSnapshot(4);
        log.log.onCheckpointComplete(4);
        log.append(pending(0, 0));
        return log;
    }

    private TestAttempt successor() {
        return ofJob("a0").attempt(1).restoredFrom("a0", 4);
    }

    // ------------------------------------------------------------------ it stops before an append

    @ParameterizedTest
    @EnumSource(Successor.class)
    void whatIsAppendedAfterTheSuccessorsStartFailsAndIsNeverRead(Successor step) throws Exception {
        List<LogEntry> left = new ArrayList<>(step.leaves());
        try (OpenLog zombie = attemptThatWillBeAZombie();
                OpenLog successor = open(successor())) {
            assertThat(successor.recovered).containsExactly(pending(0, 0));
            step.goOn(successor);

            // the outcome of its call, and what its handler does next
            assertThatThrownBy(() -> zombie.append(entry(0, 0, "late"), pending(0, 1)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(TAKEN_OVER);
            assertThatThrownBy(() -> zombie.append(pending(3, 0))).hasMessageContaining(TAKEN_OVER);

            LogEntry after = entry(0, 2); // the successor does not mind
            successor.append(after);
            left.add(after);
        }
        assertLeft(step, left);
    }

    @ParameterizedTest
    @EnumSource(Successor.class)
    void aNewEpochIsNoWayRoundThat(Successor step) throws Exception {
        try (OpenLog zombie = attemptThatWillBeAZombie();
                OpenLog successor = open(successor())) {
            step.goOn(successor);
            zombie.log.onSnapshot(6); // never completed
            assertThatThrownBy(() -> zombie.append(pending(0, 1))).hasMessageContaining(TAKEN_OVER);
            zombie.log.onCheckpointComplete(6);
        }
        assertLeft(step, step.leaves());
    }

    private void assertLeft(Successor step, List<LogEntry> left) throws Exception {
        for (int i = 0; i < 2; i++) { // the first reader leaves it as it is for the next
            try (OpenLog next = open(step.next())) {
                assertThat(next.recovered).containsExactlyInAnyOrderElementsOf(left);
                assertThat(ofKeyGroup0(next))
                        .isEqualTo(
                                left.stream()
                                        .filter(each -> each.keyGroup() == 0)
                                        .collect(toList()));
            }
        }
    }

    private static List<LogEntry> ofKeyGroup0(OpenLog log) {
        return log.recovered.stream().filter(each -> each.keyGroup() == 0).collect(toList());
    }

    @Test
    void aZombieThatNeverAppendedIsShutOutToo() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"));
                OpenLog successor = open(ofJob("a0").attempt(1))) {
            assertThatThrownBy(() -> zombie.append(pending(0, 0))).hasMessageContaining(TAKEN_OVER);
            successor.append(entry(0, 1));
        }
        try (OpenLog next = open(ofJob("a0").attempt(2))) {
            assertThat(next.recovered).containsExactly(entry(0, 1));
        }
    }

    @Test
    void aZombiesSuccessorMayBecomeOneItself() throws Exception {
        try (OpenLog first = open(ofJob("a0"))) {
            first.append(pending(0, 0));
            try (OpenLog second = open(ofJob("a0").attempt(1))) {
                second.append(pending(0, 1));
                try (OpenLog third = open(ofJob("a0").attempt(2))) {
                    for (OpenLog zombie : List.of(first, second)) {
                        assertThatThrownBy(() -> zombie.append(entry(0, 0, "late")))
                                .hasMessageContaining(TAKEN_OVER);
                    }
                    third.append(entry(0, 2));
                }
            }
        }
        try (OpenLog last = open(ofJob("a0").attempt(3))) {
            assertThat(last.recovered).containsExactly(pending(0, 0), pending(0, 1), entry(0, 2));
        }
    }

    @Test
    void afterARescalingEachOfTheSuccessorsShutsItOut() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0), pending(7, 0));
            try (OpenLog one = open(ofJob("a0").attempt(1).subtask(0, 2));
                    OpenLog two = open(ofJob("a0").attempt(1).subtask(1, 2))) {
                one.append(entry(0, 1));
                assertThatThrownBy(() -> zombie.append(pending(0, 2), pending(7, 2)))
                        .hasMessageContaining(TAKEN_OVER);
                two.append(entry(7, 1));
                one.append(entry(1, 1));
            }
        }
        try (OpenLog next = open(ofJob("a0").attempt(2))) {
            assertThat(next.recovered)
                    .containsExactlyInAnyOrder(
                            pending(0, 0), pending(7, 0), entry(0, 1), entry(7, 1), entry(1, 1));
        }
    }

    @Test
    void siblingsDoNotShutEachOtherOut() throws Exception {
        try (OpenLog sibling = open(ofJob("a0").subtask(0, 2));
                OpenLog zombie = open(ofJob("a0").subtask(1, 2));
                OpenLog successor = open(ofJob("a0").attempt(1).subtask(1, 2))) {
            assertThatThrownBy(() -> zombie.append(pending(4, 1))).hasMessageContaining(TAKEN_OVER);
            successor.append(entry(4, 2));
            sibling.append(entry(0, 0));
        }
    }

    // ------------------------------------------------------------------ during an append

    @Test
    void aProcessThatIsStoppedInItsAppendsReportsNoneThatItsSuccessorHasNotRead() throws Exception {
        Process zombie = EndlessAppender.start(settings());
        try (BufferedReader out =
                        new BufferedReader(new InputStreamReader(zombie.getInputStream()));
                AutoCloseable end = zombie::destroyForcibly) {
            int durable = 0;
            while (durable < 100) {
                durable = Math.max(durable, slotIn(out.readLine()));
            }
            signal(zombie, "STOP");
            List<LogEntry> left;
            try (OpenLog successor = open(ofJob("a0").attempt(1))) {
                successor.append(entry(2, 0));
                left = new ArrayList<>(ofKeyGroup0(successor));
                signal(zombie, "CONT");
                durable = Math.max(durable, lastIn(out).get(DEADLINE_SECONDS, TimeUnit.SECONDS));
                successor.append(entry(0, -1));
                left.add(entry(0, -1));
            }
            assertThat(left.stream().map(LogEntry::slot))
                    .startsWith(IntStream.rangeClosed(0, durable).boxed().toArray(Integer[]::new));
            try (OpenLog next = open(ofJob("a0").attempt(2))) {
                assertThat(ofKeyGroup0(next)).isEqualTo(left);
            }
        }
    }

    /** The last that the zombie reports; it ends when an append fails. */
    private static CompletableFuture<Integer> lastIn(BufferedReader out) {
        return CompletableFuture.supplyAsync(
                () -> out.lines().mapToInt(ZombieConformance::slotIn).max().orElse(-1),
                task -> new Thread(task).start());
    }

    private static int slotIn(String line) {
        return line.startsWith("durable ")
                ? Integer.parseInt(line.substring("durable ".length()))
                : -1;
    }

    private static void signal(Process process, String name) throws Exception {
        Process kill = new ProcessBuilder("kill", "-" + name, "" + process.pid()).start();
        assertThat(kill.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(kill.exitValue()).isZero();
    }

    // ------------------------------------------------------------------ at the same time

    @Test
    void ofAttemptsThatOpenTogetherAtMostOneIsLeftAndNothingDurableIsLost() throws Exception {
        for (int round = 0; round < 3; round++) {
            TestAttempt[] attempts = new TestAttempt[4];
            List<LogEntry> durable = Collections.synchronizedList(new ArrayList<>());
            List<CompletableFuture<OpenLog>> opened = new ArrayList<>();
            for (int i = 0; i < attempts.length; i++) {
                TestAttempt attempt = ofJob("r" + round).attempt(i);
                int number = i;
                opened.add(
                        CompletableFuture.supplyAsync(
                                () -> openAndAppend(attempt, number, durable),
                                task -> new Thread(task).start()));
            }
            List<OpenLog> logs = new ArrayList<>();
            for (CompletableFuture<OpenLog> each : opened) {
                logs.add(each.get(DEADLINE_SECONDS, TimeUnit.SECONDS));
            }
            int alive = 0;
            for (OpenLog each : logs) {
                try {
                    each.append(entry(1, 0));
                    alive++;
                } catch (IOException e) {
                    assertThat(e).hasMessageContaining(TAKEN_OVER);
                }
            }
            assertThat(alive).isLessThanOrEqualTo(1);
            logs.forEach(OpenLog::close);
            try (OpenLog next = open(ofJob("r" + round).attempt(9))) {
                assertThat(ofKeyGroup0(next)).containsAll(durable);
            }
        }
    }

    private OpenLog openAndAppend(TestAttempt attempt, int slot, List<LogEntry> durable) {
        try {
            OpenLog log = open(attempt);
            try {
                log.append(entry(0, slot));
                durable.add(entry(0, slot));
            } catch (IOException e) {
                assertThat(e).hasMessageContaining(TAKEN_OVER);
            }
            return log;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
