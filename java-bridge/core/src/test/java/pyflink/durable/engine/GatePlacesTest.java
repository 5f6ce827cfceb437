package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** An invocation at the gate gives its place away, and needs none when it is released. */
@Timeout(60)
class GatePlacesTest {

    @Test
    void anInvocationAtTheGateGivesItsPlaceAway() throws Exception {
        try (DurableHarness harness = gated(2, 100, "a", "b", "c", "d", "e")) {
            assertThat(harness.started()).containsExactly("a:1", "b:1", "c:1", "d:1", "e:1");
            assertThat(harness.operator.engine().scheduler().runningCount()).isZero();
            assertThat(harness.operator.engine().scheduler().waitingCount()).isEqualTo(5);
            assertThat(harness.operator.engine().atGate()).isEqualTo(5);
        }
    }

    @Test
    void releasedInvocationsGoOnTogetherInOrderWithoutPlaces() throws Exception {
        try (DurableHarness harness = gated(2, 100, "a", "b", "c", "d", "e")) {
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases())
                    .containsExactly("a:1 0", "b:1 0", "c:1 0", "d:1 0", "e:1 0");
            assertThat(harness.operator.engine().scheduler().runningCount()).isEqualTo(5);
            assertThat(harness.operator.engine().scheduler().waitingCount()).isZero();
        }
    }

    @Test
    void newOnesStartWhenThereIsAPlaceBesideTheReleased() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a", "b")) {
            harness.operator.host().onStart(handler -> {});
            harness.send("c", "1"); // takes the place
            harness.send("d", "1");
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0", "b:1 0");

            harness.end("c:1");
            harness.end("a:1");
            assertThat(harness.started()).doesNotContain("d:1");
            harness.end("b:1");
            assertThat(harness.started()).contains("d:1");
        }
    }

    @Test
    void aReleasedInvocationThatComesToTheGateAgainMakesRoomForANewOne() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a", "b")) {
            harness.operator.host().onStart(handler -> {});
            harness.operator.host().onRelease(handler -> handler.callGatedInStep(1, "notify"));
            harness.send("c", "1"); // takes the place
            harness.send("d", "1");
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0", "b:1 0");
            assertThat(harness.operator.engine().atGate()).isEqualTo(2);

            harness.end("c:1");
            assertThat(harness.started()).contains("d:1");
        }
    }

    /** Those without a place are bounded by {@code max_pending}, as when they were at the gate. */
    @Test
    void releasedInvocationsBeyondThePlacesFillTheOperator() throws Exception {
        try (DurableHarness harness = gated(1, 4, "a", "b", "c")) {
            harness.complete(harness.checkpoint());
            harness.operator.host().onStart(handler -> {});
            harness.send("d", "1"); // two run without a place, two wait in line from the next on
            assertThat(harness.operator.engine().scheduler().isFull()).isFalse();
            harness.operator
                    .mailbox()
                    .execute(() -> harness.operator.host().handler("a:1").end(), "room");
            harness.send("e", "1");
            assertThat(harness.outputs()).containsExactly("a:1");
        }
    }

    /** What an open valve lets in waits as an input, which is small, and not as a handler. */
    @Test
    void noMoreAreStartedThanPlacesAndMaxPendingTogether() throws Exception {
        try (DurableHarness harness = gated(2, 3)) {
            harness.operator.network().recovering(true);
            for (int i = 0; i < 8; i++) {
                harness.send("key" + i, "1");
            }
            assertThat(harness.started()).hasSize(5);
            assertThat(harness.operator.engine().scheduler().waitingCount()).isEqualTo(8);

            harness.operator.host().onRelease(HarnessHandler::end);
            harness.complete(harness.checkpoint());
            harness.complete(harness.checkpoint());
            assertThat(harness.outputs()).hasSize(8);
        }
    }

    @Test
    void anInvocationIsToldOfAReleasedCallWhileAnotherOneIsAtTheGate() throws Exception {
        try (DurableHarness harness = gated(1, 100, "a")) {
            long checkpoint = harness.checkpoint();
            harness.operator.host().handler("a:1").callGated(1, "notify");

            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            assertThat(harness.operator.engine().scheduler().runningCount()).isZero();

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 1");
            assertThat(harness.operator.engine().scheduler().runningCount()).isEqualTo(1);
        }
    }

    @Test
    void aCheckpointOfThousandsIsToldInPortions() throws Exception {
        int keys = 2 * StartBatches.MOST + 1;
        try (DurableHarness harness = gated(1, keys + 1)) {
            for (int i = 0; i < keys; i++) {
                harness.send("key" + i, "1");
            }
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases())
                    .hasSize(keys)
                    .doesNotHaveDuplicates();
            assertThat(harness.operator.host().releasesOfSteps())
                    .containsExactly(StartBatches.MOST, StartBatches.MOST, 1);
        }
    }

    private DurableHarness gated(int maxInFlight, int maxPending, String... keys) throws Exception {
        DurableHarness harness = DurableHarness.setup().limits(maxInFlight, maxPending).open();
        harness.operator.host().onStart(handler -> handler.callGatedInStep(0, "charge"));
        for (String key : keys) {
            harness.send(key, "1");
        }
        return harness;
    }
}
