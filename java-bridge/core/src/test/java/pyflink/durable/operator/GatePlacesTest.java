package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An invocation at the gate gives its place away, and takes one again after the release. */
@Timeout(60)
class GatePlacesTest {

    @Test
    void anInvocationAtTheGateGivesItsPlaceAway() throws Exception {
        try (DurableHarness harness = gated(2, 100, "a", "b", "c", "d", "e")) {
            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1", "d:1", "e:1");
            assertThat(harness.operator.scheduler().runningCount()).isZero();
            assertThat(harness.operator.scheduler().waitingCount()).isEqualTo(5);
            assertThat(harness.operator.engine().atGate()).isEqualTo(5);
        }
    }

    @Test
    void releasedInvocationsGoOnInOrderAsThereArePlaces() throws Exception {
        try (DurableHarness harness = gated(2, 100, "a", "b", "c", "d", "e")) {
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.takeReleases()).containsExactly("a:1 0", "b:1 0");
            assertThat(harness.operator.scheduler().runningCount()).isEqualTo(2);

            harness.end("b:1");
            assertThat(harness.operator.takeReleases()).containsExactly("c:1 0");
            harness.end("a:1");
            harness.end("c:1");
            assertThat(harness.operator.takeReleases()).containsExactly("d:1 0", "e:1 0");
            assertThat(harness.operator.scheduler().runningCount()).isEqualTo(2);
        }
    }

    @Test
    void releasedInvocationsGoOnBeforeNewOnesStart() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a", "b")) {
            harness.operator.onStart(handler -> {});
            harness.send("c", "1"); // takes the place
            harness.send("d", "1");
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.takeReleases()).isEmpty();

            harness.end("c:1");
            assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
            harness.end("a:1");
            assertThat(harness.operator.takeReleases()).containsExactly("b:1 0");
            assertThat(harness.started()).doesNotContain("d:1");
            harness.end("b:1");
            assertThat(harness.started()).contains("d:1");
        }
    }

    @Test
    void aReleasedInvocationThatComesToTheGateAgainMakesRoomForTheNext() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a", "b", "c")) {
            harness.operator.onRelease(handler -> handler.callGatedInStep(1, "notify"));
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.takeReleases()).containsExactly("a:1 0", "b:1 0", "c:1 0");
            assertThat(harness.operator.engine().atGate()).isEqualTo(3);
        }
    }

    /** A place that waits for a checkpoint could keep the operator full. */
    @Test
    void anInvocationWithAnotherCallAtTheGateNeedsNoPlaceForItsReleasedOne() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a")) {
            harness.operator.onStart(handler -> {});
            harness.send("b", "1"); // has the place
            long checkpoint = harness.checkpoint();
            harness.operator.handler("a:1").callGated(1, "notify");

            harness.complete(checkpoint);
            assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
            assertThat(harness.operator.scheduler().runningCount()).isEqualTo(1);

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.takeReleases()).as("no place").isEmpty();
            harness.end("b:1");
            assertThat(harness.operator.takeReleases()).containsExactly("a:1 1");
        }
    }

    @Test
    void aReleasedInvocationThatWaitsForAPlaceAndComesToTheGateAgainGoesOn() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a")) {
            harness.operator.onStart(handler -> {});
            harness.send("b", "1"); // has the place
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.takeReleases()).isEmpty();

            harness.operator.handler("a:1").callGated(1, "notify");
            harness.runMails();
            assertThat(harness.operator.takeReleases()).containsExactly("a:1 0");
            assertThat(harness.operator.scheduler().runningCount()).isEqualTo(1);
        }
    }

    private DurableHarness gated(int maxInFlight, int maxPending, String... keys) throws Exception {
        DurableHarness harness = DurableHarness.setup().limits(maxInFlight, maxPending).open();
        harness.operator.onStart(handler -> handler.callGatedInStep(0, "charge"));
        for (String key : keys) {
            harness.send(key, "1");
        }
        return harness;
    }
}
