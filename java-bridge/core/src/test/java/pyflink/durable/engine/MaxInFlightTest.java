package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** How many invocations run at a time, and which one takes the place that gets free. */
@Timeout(60)
class MaxInFlightTest {

    @Test
    void noMoreThanMaxInFlightRun() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(2, 100).open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.send("c", "1");
            harness.send("d", "1");
            assertThat(harness.started()).containsExactly("a:1", "b:1");
            assertThat(harness.operator.engine().scheduler().runningCount()).isEqualTo(2);
            assertThat(harness.operator.engine().scheduler().waitingCount()).isEqualTo(2);

            harness.end("b:1");
            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1");
            assertThat(harness.operator.host().running()).hasSize(2);
        }
    }

    @Test
    void aKeyWithManyInputsDoesNotKeepOthersFromRunning() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 100).open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("a", "3");
            harness.send("b", "1");
            harness.send("c", "1");

            harness.endAll();

            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1", "a:2", "a:3");
        }
    }

    @Test
    void aHandlerThatEndsAtOnceMakesRoomForTheNext() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 100).open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("b", "1");
            harness.operator.host().onStart(HarnessHandler::end);

            harness.end("a:1");

            assertThat(harness.outputs()).containsExactly("a:1", "b:1", "a:2");
        }
    }
}
