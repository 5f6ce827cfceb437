package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.OperatorSnapshotUtil;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.operator.DurableHarness.KeyKind;
import pyflink.durable.state.Retention;

/** State written by each format version restores; {@link GoldenFiles} says what is in it. */
class GoldenSnapshotTest {

    private static final List<String> CALLS_OF_BOB =
            List.of(
                    "shop.charge PENDING attempt 2 due 1800000000000",
                    "shop.notify PENDING attempt 5");

    private static final Map<String, List<String>> JOURNALS_OF_BOB =
            Map.of(
                    "v1", List.of(),
                    "v2", CALLS_OF_BOB,
                    "v3", CALLS_OF_BOB,
                    "v4", CALLS_OF_BOB);

    private static final Map<String, List<Long>> TIMES_OF_ALICE =
            Map.of(
                    "v1", Arrays.asList(null, null),
                    "v2", Arrays.asList(null, null),
                    "v3", List.of(GoldenFiles.ENDED, GoldenFiles.BEGAN),
                    "v4", List.of(GoldenFiles.ENDED, GoldenFiles.BEGAN));

    @ParameterizedTest
    @ValueSource(strings = {"v1", "v2", "v3", "v4"})
    void anOperatorSnapshotRestores(String version) throws Exception {
        try (DurableHarness harness =
                DurableHarness.keyedBy(KeyKind.STRING).open(goldenSnapshot(version))) {
            harness.runMails();

            assertThat(harness.started()).containsExactlyInAnyOrder("alice:1", "bob:1");
            HarnessHandler alice = harness.operator.host().handler("alice:1");
            assertThat(alice.sequence()).isEqualTo(1);
            assertThat(alice.timestamp()).isEqualTo(2_000);
            assertThat(alice.journal())
                    .containsExactly(
                            "shop.charge SUCCEEDED receipt",
                            "shop.notify PENDING",
                            "shop.ship FAILED no stock");
            DurableBridge bridge = harness.operator.bridge();
            assertThat(bridge.getCallResultFieldsAt(alice.id(), 0)[5]).isEqualTo(1);
            assertThat(bridge.getCallResultFieldsAt(alice.id(), 2)[5]).isEqualTo(0);
            assertThat(Arrays.asList(bridge.getCallResultFieldsAt(alice.id(), 0)).subList(8, 10))
                    .isEqualTo(TIMES_OF_ALICE.get(version));
            assertThat(bridge.getState(alice.id(), "total")).isEqualTo("10".getBytes());
            HarnessHandler bob = harness.operator.host().handler("bob:1");
            assertThat(bob.timestamp()).isEqualTo(-1);
            assertThat(bob.journal()).isEqualTo(JOURNALS_OF_BOB.get(version));

            harness.send("carol", "2");
            assertThat(harness.operator.host().handler("carol:2").sequence()).isEqualTo(1);
            harness.endAll();
            assertThat(harness.outputs())
                    .containsExactlyInAnyOrder("alice:1", "alice:2", "bob:1", "carol:2");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1", "v2", "v3", "v4"})
    void whatIsKeptOfIdleKeysIsGivenATime(String version) throws Exception {
        try (DurableHarness harness =
                DurableHarness.setup()
                        .retention(new Retention(true, 60_000, 60_000))
                        .open(goldenSnapshot(version))) {
            harness.send("carol", "2");
            harness.runMails();

            assertThat(harness.operator.host().handler("carol:2").sequence()).isEqualTo(1);
            long alice = harness.operator.host().handler("alice:1").id();
            assertThat(harness.operator.bridge().getState(alice, "total"))
                    .isEqualTo("10".getBytes());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1", "v2", "v3", "v4"})
    void numbersGoOnBehindATimeWithIds(String version) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness =
                DurableHarness.setup()
                        .retention(new Retention(false, 0, 0))
                        .open(goldenSnapshot(version))) {
            harness.send("alice", "3");
            harness.send("carol", "2");
            harness.endAll();
            assertThat(harness.outputs())
                    .containsExactlyInAnyOrder("alice:1", "alice:2", "alice:3", "bob:1", "carol:2");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.send("alice", "4");
            harness.send("carol", "3");
            harness.runMails();
            assertThat(harness.operator.host().handler("alice:4").sequence()).isEqualTo(3);
            assertThat(harness.operator.host().handler("carol:3").sequence()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1", "v2", "v3", "v4"})
    void aSnapshotIsRedistributedWhenTheJobIsRescaled(String version) throws Exception {
        int restored = 0;
        for (int subtask = 0; subtask < 4; subtask++) {
            try (DurableHarness harness =
                    DurableHarness.keyedBy(KeyKind.STRING)
                            .subtask(subtask, 4)
                            .open(DurableHarness.part(goldenSnapshot(version), 1, subtask, 4))) {
                harness.endAll();
                restored += harness.outputs().size();
            }
        }
        assertThat(restored).isEqualTo(3);
    }

    private static OperatorSubtaskState goldenSnapshot(String version) throws Exception {
        String file = "/golden/" + version + "/operator-snapshot.bin";
        Path path = Path.of(GoldenSnapshotTest.class.getResource(file).toURI());
        return OperatorSnapshotUtil.readStateHandle(path.toString());
    }
}
