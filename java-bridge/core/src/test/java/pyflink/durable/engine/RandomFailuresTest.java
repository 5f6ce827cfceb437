package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

/**
 * A random life: inputs, calls, ends, snapshots and failures in any order. A failure goes back to
 * the last snapshot, and the source sends again what came after it. In the end every input must
 * have been answered once, in the order of its key, and after each failure every journal must be as
 * it was at the snapshot.
 */
@Timeout(1_000)
class RandomFailuresTest {

    /** More with {@code -Ddurable.test.lives=1000}. */
    private static final int LIVES = Integer.getInteger("durable.test.lives", 30);

    private static final int INPUTS = 60;
    private static final int STEPS = 400;

    @ParameterizedTest
    @EnumSource(Backend.class)
    void everyInputIsAnsweredOnceAndInOrder(Backend backend) throws Exception {
        int lives = backend == Backend.HASHMAP ? LIVES : 1 + LIVES / 10;
        for (int seed = 0; seed < lives; seed++) {
            try {
                new Life(backend, seed).run();
            } catch (Exception | AssertionError e) {
                throw new AssertionError("with seed " + seed, e);
            }
        }
    }

    private static final class Life {
        private final Backend backend;
        private final Random random;
        private final int maxInFlight;
        private final List<String> inputs = new ArrayList<>();
        private final List<String> committed = new ArrayList<>();
        private DurableHarness harness;
        private int sent;

        // what the last snapshot holds
        private OperatorSubtaskState snapshot;
        private int sentAtSnapshot;
        private final Map<String, List<String>> journalsAtSnapshot = new HashMap<>();
        private int outputsInSnapshot;

        Life(Backend backend, int seed) {
            this.backend = backend;
            this.random = new Random(seed);
            this.maxInFlight = 1 + random.nextInt(5);
            int keys = 1 + random.nextInt(6);
            for (int i = 0; i < INPUTS; i++) {
                inputs.add("key" + random.nextInt(keys) + ":" + i);
            }
        }

        void run() throws Exception {
            harness = open(null);
            try {
                for (int step = 0; step < STEPS; step++) {
                    step();
                    assertThat(harness.operator.host().running())
                            .hasSizeLessThanOrEqualTo(maxInFlight);
                    assertThat(harness.operator.host().running())
                            .extracting(handler -> handler.toString().split(":")[0])
                            .as("one at a time for each key")
                            .doesNotHaveDuplicates();
                }
                while (sent < INPUTS) {
                    send();
                }
                harness.endAll();
                takeSnapshot();
                assertThat(harness.operator.engine().scheduler().hasInFlight()).isFalse();
            } finally {
                harness.close();
            }
            checkOutputs();
        }

        private DurableHarness open(OperatorSubtaskState state) throws Exception {
            // room for all inputs, so that none has to wait for a handler that the test drives
            return DurableHarness.setup().backend(backend).limits(maxInFlight, 1_000).open(state);
        }

        private void step() throws Exception {
            int dice = random.nextInt(100);
            if (dice < 30) {
                send();
            } else if (dice < 65) {
                progress();
            } else if (dice < 85) {
                harness.runMails();
            } else if (dice < 95) {
                takeSnapshot();
            } else {
                fail();
            }
        }

        private void send() throws Exception {
            if (sent < INPUTS) {
                String[] keyAndValue = inputs.get(sent++).split(":");
                harness.send(keyAndValue[0], keyAndValue[1]);
            }
        }

        /** Some running handler makes a call, gets an outcome, drops its tail, or ends. */
        private void progress() throws Exception {
            List<HarnessHandler> running = harness.operator.host().running();
            if (running.isEmpty()) {
                return;
            }
            HarnessHandler handler = running.get(random.nextInt(running.size()));
            if (handler.hasEnded()) {
                return;
            }
            List<String> journal = handler.journal();
            List<Integer> pending = new ArrayList<>();
            for (int slot = 0; slot < journal.size(); slot++) {
                if (journal.get(slot).endsWith("PENDING")) {
                    pending.add(slot);
                }
            }
            int dice = random.nextInt(10);
            if (dice < 4) {
                handler.call(journal.size(), "f" + random.nextInt(1_000));
            } else if (dice < 7 && !pending.isEmpty()) {
                int slot = pending.get(random.nextInt(pending.size()));
                handler.succeed(slot, journal.get(slot).split(" ")[0], "r" + random.nextInt());
            } else if (dice < 8 && !journal.isEmpty()) {
                handler.clearFrom(random.nextInt(journal.size()));
            } else {
                handler.end();
            }
        }

        private void takeSnapshot() throws Exception {
            snapshot = harness.snapshot();
            sentAtSnapshot = sent;
            List<String> outputs = harness.outputs();
            committed.addAll(outputs.subList(outputsInSnapshot, outputs.size()));
            outputsInSnapshot = outputs.size();
            // what was restored and has not started since is as it was
            journalsAtSnapshot.keySet().removeAll(harness.started());
            for (HarnessHandler handler : harness.operator.host().running()) {
                journalsAtSnapshot.put(handler.toString(), handler.journal());
            }
        }

        private void fail() throws Exception {
            harness.close();
            sent = sentAtSnapshot;
            outputsInSnapshot = 0;
            harness = open(snapshot);
            if (random.nextBoolean()) {
                harness.runMails();
                for (HarnessHandler handler : harness.operator.host().running()) {
                    assertThat(handler.journal())
                            .isEqualTo(
                                    journalsAtSnapshot.getOrDefault(handler.toString(), List.of()));
                }
            }
        }

        private void checkOutputs() {
            assertThat(committed).containsExactlyInAnyOrderElementsOf(inputs);
            Map<String, List<String>> expected = byKey(inputs);
            assertThat(byKey(committed)).isEqualTo(expected);
        }

        private static Map<String, List<String>> byKey(List<String> keyAndValues) {
            Map<String, List<String>> byKey = new HashMap<>();
            for (String keyAndValue : keyAndValues) {
                byKey.computeIfAbsent(keyAndValue.split(":")[0], key -> new ArrayList<>())
                        .add(keyAndValue);
            }
            return byKey;
        }
    }
}
