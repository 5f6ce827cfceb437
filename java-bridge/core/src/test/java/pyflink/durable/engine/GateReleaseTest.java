package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.FailoverJournals.journalsIn;

import java.util.stream.Stream;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import pyflink.durable.operator.DurableHarness;

/** Which checkpoint releases a call that waits at the gate. */
@Timeout(60)
class GateReleaseTest {

    static Stream<SavepointType> savepoints() {
        return Stream.of(
                SavepointType.savepoint(SavepointFormatType.CANONICAL),
                SavepointType.suspend(SavepointFormatType.CANONICAL),
                SavepointType.terminate(SavepointFormatType.NATIVE));
    }

    @Test
    void aCallIsReleasedWhenTheCheckpointThatHoldsItsSlotHasCompleted() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            harness.runMails();

            long checkpoint = harness.checkpoint();
            harness.runMails();
            assertThat(harness.operator.host().takeReleases()).isEmpty();

            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).as("once").isEmpty();
        }
    }

    @Test
    void aFailoverFindsEveryReleasedCallInDoubt() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            long checkpoint = harness.checkpoint();
            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");

            try (DurableHarness after =
                    DurableHarness.setup().open(harness.snapshotOf(checkpoint))) {
                after.runMails();
                assertThat(after.operator.host().handler("a:1").journal())
                        .containsExactly("charge PENDING");
            }
        }
    }

    @Test
    void aCallThatIsAnnouncedWithAStepWaitsToo() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.operator.host().onStart(handler -> handler.callGatedInStep(0, "charge"));
            harness.send("a", "1");
            assertThat(harness.operator.engine().atGate()).isEqualTo(1);

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            assertThat(harness.operator.engine().atGate()).isZero();
        }
    }

    @Test
    void aCallThatCameAfterTheSnapshotWaitsForTheNextCheckpoint() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            long first = harness.checkpoint();
            harness.operator.host().handler("b:1").callGated(0, "charge");

            harness.complete(first);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("b:1 0");
        }
    }

    @Test
    void callsOfABatchAreReleasedTogetherInOrder() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            for (int slot = 0; slot < 5; slot++) {
                harness.operator.host().handler("a:1").callGated(slot, "charge");
            }
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases())
                    .containsExactly("a:1 0", "a:1 1", "a:1 2", "a:1 3", "a:1 4");
        }
    }

    @Test
    void overlappingCheckpointsEachReleaseTheirOwn() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            long first = harness.checkpoint();
            harness.operator.host().handler("b:1").callGated(0, "charge");
            long second = harness.checkpoint();

            harness.complete(first);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            harness.complete(second);
            assertThat(harness.operator.host().takeReleases()).containsExactly("b:1 0");
        }
    }

    @Test
    void anAbortedCheckpointReleasesNothingAndTheNextOneReleasesAll() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            harness.operator.notifyCheckpointAborted(harness.checkpoint());
            harness.runMails();
            assertThat(harness.operator.host().takeReleases()).isEmpty();

            harness.operator.host().handler("b:1").callGated(0, "charge");
            long next = harness.checkpoint();
            harness.complete(next);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0", "b:1 0");
            assertThat(journalsIn(harness, next)).hasSize(2);
        }
    }

    @Test
    void aLostNotificationIsMadeUpForByTheNext() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            harness.checkpoint();

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
        }
    }

    @Test
    void aCheckpointThatThisAttemptDidNotTakeReleasesNothing() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            long taken = harness.checkpoint();

            harness.complete(taken - 1);
            harness.complete(taken + 1);
            assertThat(harness.operator.host().takeReleases()).isEmpty();
        }
    }

    /** Flink tells of the last two; a failover goes back to the last checkpoint all the same. */
    @ParameterizedTest
    @MethodSource("savepoints")
    void aSavepointReleasesNothingEvenIfItsCompletionIsTold(SavepointType type) throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            harness.checkpoint(); // has not completed
            harness.operator.host().handler("a:1").callGated(1, "notify");

            harness.complete(harness.savepoint(type));
            assertThat(harness.operator.host().takeReleases()).isEmpty();

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0", "a:1 1");
        }
    }
}
