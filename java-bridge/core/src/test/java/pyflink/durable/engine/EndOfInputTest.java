package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** The end of the input waits for what is in flight. */
@Timeout(60)
class EndOfInputTest {

    @Test
    void endOfInputWaitsForWhatIsInFlight() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(2, 100).open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("b", "1");
            harness.operator.host().onStart(HarnessHandler::end);
            HarnessHandler a = harness.operator.host().handler("a:1");
            HarnessHandler b = harness.operator.host().handler("b:1");
            Thread outside =
                    new Thread(
                            () -> {
                                a.end();
                                b.end();
                            });
            outside.start();

            harness.flink.endInput();

            outside.join();
            assertThat(harness.outputs()).containsExactlyInAnyOrder("a:1", "a:2", "b:1");
            assertThat(harness.outputs()).containsSubsequence("a:1", "a:2");
            assertThat(harness.operator.engine().scheduler().hasInFlight()).isFalse();
        }
    }

    @Test
    void endOfInputRunsWhatWasRestored() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.operator.host().onStart(HarnessHandler::end);

            harness.flink.endInput();

            assertThat(harness.outputs()).containsExactly("a:1", "a:2");
        }
    }

    @Test
    void theSnapshotAfterTheEndOfInputHoldsNothingInFlight() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.snapshot();
            harness.operator.host().handler("a:1").end();
            harness.flink.endInput();
            snapshot = harness.snapshot();
            assertThat(harness.stateEntries()).as("the sequence alone").isEqualTo(1);
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).isEmpty();
        }
    }
}
