package pyflink.durable.state;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.operator.BackendSetups.on;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.operator.DurableHarness.KeyKind;

/** What is in flight comes to the subtasks of a job with another parallelism. */
@Timeout(60)
class RescaleTest {

    private static final int KEYS = 40;

    @ParameterizedTest
    @EnumSource(Backend.class)
    void attemptsAndTimesAreRestoredAlsoWhenTheJobIsRescaled(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = on(backend).open()) {
            for (int i = 0; i < 20; i++) {
                harness.send("key" + i, "1");
                HarnessHandler handler = harness.operator.host().handler("key" + i + ":1");
                handler.call(0, "charge");
                handler.schedule(0, "charge", 2, 5_000 + i);
                handler.call(1, "notify");
                harness.snapshot(); // the rest is a change of what is saved
                handler.startAttempt(1, "notify", 3);
            }
            snapshot = harness.snapshot();
        }
        int restored = 0;
        for (int subtask = 0; subtask < 3; subtask++) {
            try (DurableHarness harness =
                    on(backend)
                            .subtask(subtask, 3)
                            .open(DurableHarness.part(snapshot, 1, subtask, 3))) {
                harness.runMails();
                for (HarnessHandler handler : harness.operator.host().running()) {
                    int key = Integer.parseInt(handler.toString().replaceAll("key|:1", ""));
                    assertThat(handler.journal())
                            .containsExactly(
                                    "charge PENDING attempt 2 due " + (5_000 + key),
                                    "notify PENDING attempt 3");
                    restored++;
                }
            }
        }
        assertThat(restored).isEqualTo(20);
    }

    @ParameterizedTest(name = "{0}, {1} keys")
    @MethodSource("pyflink.durable.operator.BackendSetups#backendsAndKeys")
    void rescalingFrom1To3To2LosesNothingAndDoublesNothing(Backend backend, KeyKind kind)
            throws Exception {
        List<String> outputs = new ArrayList<>();
        Map<String, String> journals = new TreeMap<>();
        OperatorSubtaskState one;

        try (DurableHarness harness = DurableHarness.keyedBy(kind).backend(backend).open()) {
            for (int i = 0; i < KEYS; i++) {
                harness.send(DurableHarness.key(kind, i), "1");
                harness.send(DurableHarness.key(kind, i), "2");
                HarnessHandler handler =
                        harness.operator.host().handler(DurableHarness.key(kind, i) + ":1");
                handler.call(0, "f" + i);
                if (i % 3 == 0) {
                    handler.succeed(0, "f" + i, "r" + i);
                }
                if (i % 4 != 0) {
                    journals.put(handler.toString(), handler.journal().toString());
                }
            }
            for (int i = 0; i < KEYS; i += 4) { // some have ended already
                harness.end(DurableHarness.key(kind, i) + ":1");
            }
            one = harness.toRescale(backend);
            outputs.addAll(harness.outputs());
        }
        assertThat(outputs).hasSize(KEYS / 4);

        OperatorSubtaskState[] three = new OperatorSubtaskState[3];
        List<String> restored = new ArrayList<>();
        for (int subtask = 0; subtask < 3; subtask++) {
            try (DurableHarness harness =
                    DurableHarness.keyedBy(kind)
                            .backend(backend)
                            .subtask(subtask, 3)
                            .open(DurableHarness.part(one, 1, subtask, 3))) {
                harness.runMails();
                restored.addAll(harness.started());
                for (HarnessHandler handler : harness.operator.host().running()) {
                    assertThat(handler.journal().toString())
                            .isEqualTo(journals.getOrDefault(handler.toString(), "[]"));
                }
                for (int i = 0; i < KEYS; i++) {
                    Object key = DurableHarness.key(kind, i);
                    if (DurableHarness.subtaskOf(key, 3) == subtask) {
                        harness.send(key, "3");
                        if (i % 5 == 0) {
                            harness.end(key + (i % 4 == 0 ? ":2" : ":1"));
                        }
                    }
                }
                three[subtask] = harness.toRescale(backend);
                outputs.addAll(harness.outputs());
            }
        }
        assertThat(restored).hasSize(KEYS).doesNotHaveDuplicates();

        OperatorSubtaskState together = DurableHarness.together(three);
        for (int subtask = 0; subtask < 2; subtask++) {
            try (DurableHarness harness =
                    DurableHarness.keyedBy(kind)
                            .backend(backend)
                            .subtask(subtask, 2)
                            .open(DurableHarness.part(together, 3, subtask, 2))) {
                for (int i = 0; i < KEYS; i++) {
                    Object key = DurableHarness.key(kind, i);
                    if (DurableHarness.subtaskOf(key, 2) == subtask) {
                        harness.send(key, "4");
                    }
                }
                harness.operator
                        .host()
                        .onStart(
                                handler -> {
                                    if (handler.toString().endsWith(":4")) {
                                        assertThat(handler.sequence()).isEqualTo(3);
                                    }
                                });
                harness.endAll();
                outputs.addAll(harness.outputs());
            }
        }

        List<String> expected = new ArrayList<>();
        for (int i = 0; i < KEYS; i++) {
            String key = DurableHarness.key(kind, i) + ":";
            List<String> ofKey = List.of(key + 1, key + 2, key + 3, key + 4);
            expected.addAll(ofKey);
            assertThat(outputs).containsSubsequence(ofKey);
        }
        assertThat(outputs).containsExactlyInAnyOrderElementsOf(expected);
    }
}
