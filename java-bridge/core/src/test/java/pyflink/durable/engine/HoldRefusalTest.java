package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** A call is refused that would wait for what does not come. */
@Timeout(60)
class HoldRefusalTest {

    @Test
    void withoutCheckpointsACallCannotWaitForOne() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().checkpoints(0, 1_000).open()) {
            harness.send("a", "1");
            assertThatThrownBy(() -> harness.operator.host().handler("a:1").callGated(0, "charge"))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage(
                            "Operator durable, key a: charge(digest) PENDING waits for a"
                                    + " checkpoint, and the job takes none. Turn them on with"
                                    + " env.enable_checkpointing(milliseconds).");
        }
    }

    @Test
    void withoutACallLogACallCannotWaitForIt() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            long id = harness.operator.host().handler("a:1").id();
            assertThatThrownBy(
                            () ->
                                    new JournalWrite(id, 0, "charge", "d", "PENDING")
                                            .hold("LOG")
                                            .to(harness.operator.bridge()))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("key a: charge(d) PENDING waits for the call log")
                    .hasMessageContaining("durability=\"gated\"");
        }
    }

    @Test
    void anUnknownHoldIsRefused() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            long id = harness.operator.host().handler("a:1").id();
            assertThatThrownBy(
                            () ->
                                    new JournalWrite(id, 0, "f", "d", "PENDING")
                                            .hold("LUNCH")
                                            .to(harness.operator.bridge()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("There is no hold LUNCH");
        }
    }
}
