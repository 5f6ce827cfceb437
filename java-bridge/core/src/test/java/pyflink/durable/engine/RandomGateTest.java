package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/**
 * A random life at the gated level: inputs, calls, outcomes, ends, checkpoints that complete, come
 * late or never, savepoints, and failures, which go back to the last completed checkpoint. Whenever
 * a call is released, that checkpoint must hold it; and nothing may be held for ever.
 */
@Timeout(1_000)
class RandomGateTest {

    /** More with {@code -Ddurable.test.lives=1000}. */
    private static final int LIVES = Integer.getInteger("durable.test.lives", 30);

    private static final int INPUTS = 60;
    private static final int STEPS = 500;

    @Test
    void whatHasStartedIsFoundAfterEveryFailure() throws Exception {
        for (int seed = 0; seed < LIVES; seed++) {
            try {
                new Life(seed).run();
            } catch (Exception | AssertionError e) {
                throw new AssertionError("with seed " + seed, e);
            }
        }
    }

    private static final class Life {
        private final Random random;
        private final int maxInFlight;
        private final int keys;
        private DurableHarness harness;
        private int sent;
        private int releases;

        // what checkpoints hold, by id; the number of inputs sent, the journals of what runs
        private final TreeMap<Long, Integer> sentAt = new TreeMap<>();
        private final Map<Long, Map<String, List<String>>> journalsAt = new HashMap<>();
        private long completed;

        Life(int seed) {
            random = new Random(seed);
            maxInFlight = 1 + random.nextInt(5);
            keys = 1 + random.nextInt(8);
        }

        void run() throws Exception {
            open();
            try {
                for (int step = 0; step < STEPS; step++) {
                    step();
                    assertThat(harness.operator.engine().scheduler().runningCount())
                            .isBetween(0, harness.operator.host().running().size());
                }
                while (sent < INPUTS) {
                    send();
                }
                while (harness.operator.engine().scheduler().hasInFlight()) {
                    harness.operator.host().running().stream()
                            .filter(handler -> !handler.hasEnded())
                            .forEach(HarnessHandler::end);
                    complete(checkpoint());
                    harness.runMails();
                }
                assertThat(harness.operator.engine().atGate()).isZero();
                assertThat(harness.operator.engine().scheduler().waitingCount()).isZero();
                assertThat(releases).isPositive();
            } finally {
                harness.close();
            }
        }

        private void open() throws Exception {
            DurableHarness before = harness;
            harness =
                    DurableHarness.setup()
                            .limits(maxInFlight, 1_000)
                            .open(before == null ? null : before.snapshotOf(completed));
            harness.operator.host().onRelease(this::checkRelease);
            harness.operator
                    .host()
                    .onStart(
                            handler ->
                                    assertThat(harness.operator.engine().scheduler().runningCount())
                                            .as("those that run when one starts, with it")
                                            .isBetween(1, maxInFlight));
        }

        private void step() throws Exception {
            int dice = random.nextInt(100);
            if (dice < 25) {
                send();
            } else if (dice < 65) {
                progress();
            } else if (dice < 80) {
                harness.runMails();
            } else if (dice < 88) {
                checkpoint();
            } else if (dice < 95) {
                completeOne();
            } else if (dice < 97) {
                tellOfASavepoint();
            } else {
                fail();
            }
        }

        private void send() throws Exception {
            if (sent < INPUTS) {
                harness.send("key" + random.nextInt(keys), "" + sent++);
            }
        }

        private void progress() {
            List<HarnessHandler> running = harness.operator.host().running();
            if (running.isEmpty()) {
                return;
            }
            HarnessHandler handler = running.get(random.nextInt(running.size()));
            List<String> journal = handler.journal();
            int dice = random.nextInt(10);
            if (handler.hasEnded()) {
                return;
            }
            if (dice < 6) {
                handler.callGated(journal.size(), "f" + random.nextInt(1_000));
            } else if (dice < 7 && !journal.isEmpty()) {
                handler.clearFrom(random.nextInt(journal.size()));
            } else if (dice < 9 && !journal.isEmpty()) {
                int slot = random.nextInt(journal.size());
                if (journal.get(slot).endsWith("PENDING")) {
                    handler.succeed(slot, journal.get(slot).split(" ")[0], "r");
                }
            } else {
                handler.end();
            }
        }

        private long checkpoint() throws Exception {
            Map<String, List<String>> journals = new HashMap<>();
            for (HarnessHandler handler : harness.operator.host().running()) {
                journals.put(handler.toString(), handler.journal());
            }
            long id = harness.checkpoint();
            sentAt.put(id, sent);
            journalsAt.put(id, journals);
            return id;
        }

        /** Some checkpoint completes; older ones never will. */
        private void completeOne() throws Exception {
            List<Long> open = new ArrayList<>(sentAt.tailMap(completed, false).keySet());
            if (!open.isEmpty()) {
                complete(open.get(random.nextInt(open.size())));
            }
        }

        private void complete(long id) throws Exception {
            completed = id;
            if (random.nextInt(10) > 0) { // sometimes the notification is lost
                harness.complete(id);
            }
        }

        private void tellOfASavepoint() throws Exception {
            harness.complete(
                    harness.savepoint(SavepointType.suspend(SavepointFormatType.CANONICAL)));
        }

        private void checkRelease(HarnessHandler handler) {
            for (String release : harness.operator.host().takeReleases()) {
                int slot = Integer.parseInt(release.split(" ")[1]);
                List<String> found = journalsAt.get(completed).get(handler.toString());
                assertThat(found).as("journal of %s at the checkpoint", release).isNotNull();
                assertThat(found.size()).isGreaterThan(slot);
                assertThat(handler.journal().get(slot)).isEqualTo(found.get(slot));
                releases++;
            }
        }

        private void fail() throws Exception {
            if (completed == 0) {
                return;
            }
            DurableHarness failed = harness;
            failed.close();
            open();
            sent = sentAt.get(completed);
            // ids of a failed attempt mean nothing to the next one
            sentAt.tailMap(completed, false).clear();
            harness.keep(completed, failed.snapshotOf(completed));
            harness.runMails();
        }
    }
}
