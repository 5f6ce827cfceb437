package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/**
 * Inputs of one key run one at a time in order of arrival, those of different keys at the same
 * time.
 */
@Timeout(60)
class KeyOrderTest {

    @Test
    void oneInvocationOfAKeyRunsAtATimeInOrderOfArrival() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("a", "3");
            assertThat(harness.started()).containsExactly("a:1");

            harness.end("a:1");
            assertThat(harness.started()).containsExactly("a:1", "a:2");

            harness.end("a:2");
            harness.end("a:3");
            assertThat(harness.outputs()).containsExactly("a:1", "a:2", "a:3");
        }
    }

    @Test
    void differentKeysRunAtTheSameTimeAndEndInAnyOrder() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.send("c", "1");
            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1");

            harness.end("c:1");
            harness.end("a:1");
            harness.end("b:1");
            assertThat(harness.outputs()).containsExactly("c:1", "a:1", "b:1");
        }
    }

    @Test
    void aKeyThatWasIdleAtASnapshotAndIsInFlightAtTheNextStaysInOrder() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.end("a:1");
            harness.snapshot();
            harness.send("a", "2");
            harness.snapshot();

            harness.send("a", "3");

            assertThat(harness.operator.host().running()).hasToString("[a:2]");
            harness.endAll();
            assertThat(harness.outputs()).containsExactly("a:1", "a:2", "a:3");
        }
    }
}
