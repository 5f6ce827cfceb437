package pyflink.durable.state;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** The inputs of a key are numbered, and the numbers go on after a restore. */
@Timeout(60)
class KeySequenceTest {

    @Test
    void inputsOfAKeyAreNumberedFromZero() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            List<Long> sequences = new ArrayList<>();
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                sequences.add(handler.sequence());
                                handler.end();
                            });
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("b", "1");
            harness.send("a", "3");

            assertThat(sequences).containsExactly(0L, 1L, 0L, 2L);
        }
    }

    @Test
    void theNumbersGoOnAfterASnapshotAndAfterARestore() throws Exception {
        OperatorSubtaskState snapshot;
        List<Long> sequences = new ArrayList<>();
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                sequences.add(handler.sequence());
                                handler.end();
                            });
            harness.send("a", "1");
            harness.send("a", "2");
            harness.snapshot();
            harness.send("a", "3"); // its lane was forgotten by the snapshot
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.operator.host().onStart(handler -> sequences.add(handler.sequence()));
            harness.send("a", "4");
        }
        assertThat(sequences).containsExactly(0L, 1L, 2L, 3L);
    }

    @Test
    void theNumbersGoOnBehindRestoredInputs() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            snapshot = harness.snapshot();
        }
        List<Long> sequences = new ArrayList<>();
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.operator.host().onStart(handler -> sequences.add(handler.sequence()));
            harness.send("a", "3");
            harness.endAll();
            assertThat(harness.started()).containsExactly("a:1", "a:2", "a:3");
        }
        assertThat(sequences).containsExactly(0L, 1L, 2L);
    }

    @Test
    void theNumberOfIdleKeysKeptInMemoryIsBounded() throws Exception {
        try (DurableHarness harness = DurableHarness.keyedBy(DurableHarness.KeyKind.LONG).open()) {
            List<Long> sequences = new ArrayList<>();
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                sequences.add(handler.sequence());
                                handler.end();
                            });
            harness.runMails();
            for (long key = 0; key < 50_100; key++) {
                harness.send(key, "1");
            }
            assertThat(harness.operator.accesses().take().get("durable-sequence.update"))
                    .as("keys beyond 50,000 are written and forgotten at once")
                    .isEqualTo(100);
            assertThat(sequences).containsOnly(0L);

            harness.send(50_050L, "2"); // forgotten
            harness.send(3L, "2"); // remembered
            assertThat(sequences.subList(50_100, 50_102)).containsExactly(1L, 1L);

            harness.snapshot();
            assertThat(harness.stateEntries()).isEqualTo(50_100);
        }
    }
}
