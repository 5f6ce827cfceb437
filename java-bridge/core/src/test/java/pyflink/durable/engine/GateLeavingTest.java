package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.FailoverJournals.journalsIn;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** What takes a call away from the gate before its release. */
@Timeout(60)
class GateLeavingTest {

    @Test
    void anInvocationThatEndsTakesItsCallsAlong() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 10).open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge");
            harness.runMails();
            long checkpoint = harness.checkpoint();

            harness.end("a:1");
            assertThat(harness.operator.engine().atGate()).isZero();
            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases()).isEmpty();
            assertThat(harness.operator.engine().scheduler().runningCount()).isZero();
            assertThat(harness.operator.engine().scheduler().waitingCount()).isZero();
        }
    }

    @Test
    void aCallPutInTheQueueByAnInvocationThatThenEndsIsForgotten() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.call(0, "charge");
            harness.end("a:1");
            handler.enterGate(0); // the worker was between the write and the entry

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.engine().atGate()).isZero();
            assertThat(harness.operator.engine().scheduler().waitingCount()).isZero();
        }
    }

    @Test
    void aCallWhoseOutcomeIsWrittenMeanwhileLeaves() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.callGated(0, "charge");
            harness.runMails();
            long checkpoint = harness.checkpoint();
            handler.fail(0, "charge", "timed out");
            harness.operator.bridge().wake();

            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases()).isEmpty();
            assertThat(harness.operator.engine().scheduler().runningCount())
                    .as("it has its place again")
                    .isEqualTo(1);
        }
    }

    @Test
    void callsOfADroppedTailLeaveAndTheirSlotsCanBeFilledAnew() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.callGated(0, "charge");
            handler.callGated(1, "notify");
            handler.callGated(2, "ship");
            harness.runMails();
            long checkpoint = harness.checkpoint();
            handler.clearFrom(1);
            handler.callGated(1, "refund");

            harness.complete(checkpoint);
            assertThat(harness.operator.host().takeReleases())
                    .as("the checkpoint has another call in slot 1")
                    .containsExactly("a:1 0");
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 1");
        }
    }

    @Test
    void anAttemptThatStartsAgainWaitsForACheckpointOfItsOwn() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.callGated(0, "charge");
            long first = harness.checkpoint();
            handler.startAttemptGated(0, "charge", 2);

            harness.complete(first);
            assertThat(harness.operator.host().takeReleases()).isEmpty();
            long second = harness.checkpoint();
            harness.complete(second);
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            assertThat(journalsIn(harness, second)).containsExactly("a:1 charge PENDING attempt 2");
        }
    }
}
