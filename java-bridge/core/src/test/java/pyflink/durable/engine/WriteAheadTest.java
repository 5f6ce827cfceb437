package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.MemoryCallLog;

/** What the call log keeps of a call, when the call may go on, and what a failover gets back. */
@Timeout(60)
class WriteAheadTest {

    private final MemoryCallLog log = new MemoryCallLog();

    private DurableHarness open() throws Exception {
        return DurableHarness.setup().callLog(log).open();
    }

    /** A failover to a checkpoint of an earlier attempt. */
    private DurableHarness restore(DurableHarness earlier, long checkpoint) throws Exception {
        return DurableHarness.setup().callLog(log).open(earlier.snapshotOf(checkpoint), checkpoint);
    }

    private static HarnessHandler send(DurableHarness harness, String value) throws Exception {
        harness.send("a", value);
        return harness.operator.host().handler("a:" + value);
    }

    @ParameterizedTest
    @EnumSource(DurableHarness.Backend.class)
    void theLogIsOpenedOnEveryStateBackend(DurableHarness.Backend backend) throws Exception {
        try (DurableHarness harness = DurableHarness.setup().backend(backend).callLog(log).open()) {
            send(harness, "1").call(0, "charge");
            log.attempt().flush();
            assertThat(log.entries()).containsExactly("0 charge PENDING");
        }
    }

    @Test
    void aCallStartsWhenTheLogHasItsAnnouncement() throws Exception {
        try (DurableHarness harness = open()) {
            send(harness, "1").callLogged(0, "charge");
            harness.runMails();
            assertThat(harness.operator.host().takeReleases()).isEmpty();

            log.attempt().flush();
            harness.runMails();
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            assertThat(log.entries()).containsExactly("0 charge PENDING");
        }
    }

    @Test
    void anOutcomeIsSeenWhenTheLogHasIt() throws Exception {
        try (DurableHarness harness = open()) {
            HarnessHandler handler = send(harness, "1");
            handler.call(0, "charge");
            handler.succeedLogged(0, "charge", "receipt");
            harness.runMails();
            assertThat(harness.operator.host().takeReleases()).isEmpty();

            log.attempt().flush();
            harness.runMails();
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
            assertThat(log.entries()).containsExactly("0 charge PENDING", "0 charge SUCCEEDED");
        }
    }

    @Test
    void aFailoverBeforeAnyCheckpointFindsTheCallsOfAnInputThatComesBack() throws Exception {
        try (DurableHarness harness = open()) {
            HarnessHandler handler = send(harness, "1");
            handler.call(0, "charge");
            handler.succeed(0, "charge", "receipt");
            handler.call(1, "ship");
            log.attempt().flush();
        }
        try (DurableHarness after = open()) {
            HarnessHandler again = send(after, "1");
            assertThat(again.restoredSlots()).isEqualTo(2);
            assertThat(again.journal()).containsExactly("charge SUCCEEDED receipt", "ship PENDING");
        }
    }

    @Test
    void theLogBringsARestoredJournalUpToDate() throws Exception {
        try (DurableHarness harness = open()) {
            HarnessHandler handler = send(harness, "1");
            handler.call(0, "charge");
            long checkpoint = harness.checkpoint();
            handler.succeed(0, "charge", "receipt");
            handler.call(1, "ship");
            handler.schedule(1, "ship", 2, 77);
            log.attempt().flush();

            try (DurableHarness after = restore(harness, checkpoint)) {
                after.runMails();
                assertThat(after.operator.host().handler("a:1").journal())
                        .containsExactly(
                                "charge SUCCEEDED receipt", "ship PENDING attempt 2 due 77");

                long next = after.checkpoint();
                after.complete(next);
                try (DurableHarness later = restore(after, next)) {
                    later.runMails();
                    assertThat(later.operator.host().handler("a:1").journal())
                            .as("the checkpoint holds what was merged")
                            .containsExactly(
                                    "charge SUCCEEDED receipt", "ship PENDING attempt 2 due 77");
                }
            }
        }
    }

    @Test
    void slotsThatWereDroppedStayDropped() throws Exception {
        try (DurableHarness harness = open()) {
            HarnessHandler handler = send(harness, "1");
            handler.call(0, "charge");
            handler.call(1, "ship");
            long checkpoint = harness.checkpoint();
            handler.clearFrom(1);
            handler.call(1, "refund");
            handler.clearFrom(1);
            log.attempt().flush();

            try (DurableHarness after = restore(harness, checkpoint)) {
                after.runMails();
                assertThat(after.operator.host().handler("a:1").journal())
                        .containsExactly("charge PENDING");
            }
        }
    }

    @Test
    void anInputWhoseDigestHasAnotherVersionThanThatOfTheLogIsToldByTheOlderOne() throws Exception {
        try (DurableHarness harness = open()) {
            send(harness, "1").call(0, "charge");
            log.attempt().flush();
        }
        try (DurableHarness after = open()) {
            assertThat(send(after, "2:1").journal()).containsExactly("charge PENDING");
            assertThat(after.operator.engine().counters().toJsonMembers())
                    .contains("\"unclaimed\": 0", "\"recovered\": 1");
        }
    }

    @Test
    void anInputThatComesBackWithAnotherValueGetsNothingOfIt() throws Exception {
        try (DurableHarness harness = open()) {
            send(harness, "1").call(0, "charge");
            log.attempt().flush();
        }
        try (DurableHarness after = open()) {
            assertThat(send(after, "2").journal()).isEmpty();
            assertThat(after.operator.engine().counters().toJsonMembers())
                    .contains("\"unclaimed\": 1", "\"recovered\": 0");
        }
    }

    @Test
    void anIdWritesNoLineOfItsOwnIntoTheLog() {
        assertThat(WriteAhead.oneLine("order-1\n2026-01-01 ERROR\r\u0085\u2028 é"))
                .isEqualTo("order-1?2026-01-01 ERROR??? é");
    }

    @Test
    void anInputThatComesBackLateFindsItsCallsAfterFurtherCheckpoints() throws Exception {
        long checkpoint;
        try (DurableHarness harness = open()) {
            checkpoint = harness.checkpoint();
            send(harness, "1").call(0, "charge");
            log.attempt().flush();

            try (DurableHarness after = restore(harness, checkpoint)) {
                after.complete(after.checkpoint());
                long second = after.checkpoint();
                after.complete(second);
                assertThat(log.entries()).as("the checkpoint holds it").isEmpty();

                try (DurableHarness later = restore(after, second)) {
                    assertThat(send(later, "1").journal()).containsExactly("charge PENDING");
                    later.complete(later.checkpoint());
                    assertThat(log.entries()).as("now the checkpoint holds it").isEmpty();
                }
            }
        }
    }

    @Test
    void aCompletedCheckpointHasTheLogForgetAndASavepointDoesNot() throws Exception {
        try (DurableHarness harness = open()) {
            send(harness, "1").call(0, "charge");
            log.attempt().flush();
            harness.complete(
                    harness.savepoint(SavepointType.suspend(SavepointFormatType.CANONICAL)));
            assertThat(log.entries()).containsExactly("0 charge PENDING");

            harness.complete(harness.checkpoint());
            assertThat(log.entries()).isEmpty();
        }
    }

    @Test
    void anAppendThatFailedIsToldToItsCall() throws Exception {
        try (DurableHarness harness = open()) {
            send(harness, "1").callLogged(0, "charge");
            log.attempt().failWith("no space left");
            log.attempt().flush();
            harness.runMails();
            assertThat(harness.operator.host().takeReleases())
                    .isEqualTo(List.of("a:1 0 failed: no space left"));
            assertThat(harness.operator.engine().counters().toJsonMembers())
                    .contains("\"logAppends\": 1", "\"logErrors\": 1");
        }
    }

    @Test
    void anAppendThatFailedAndThatNoCallWaitsForFailsTheTask() throws Exception {
        try (DurableHarness harness = open()) {
            send(harness, "1").call(0, "charge");
            log.attempt().failWith("no space left");
            log.attempt().flush();
            assertThatThrownBy(harness::runMails)
                    .hasMessageContaining("could not write to its call log")
                    .hasRootCauseMessage("no space left");
        }
    }

    @Test
    void anOlderCheckpointThanTheLogStartsFromIsRefused() throws Exception {
        try (DurableHarness harness = open()) {
            HarnessHandler handler = send(harness, "1");
            long old = harness.checkpoint();
            handler.call(0, "charge");
            harness.complete(harness.checkpoint());
            handler.call(1, "ship");
            log.attempt().flush();
            try (DurableHarness after = restore(harness, old)) {
                assertThatThrownBy(after::runMails)
                        .hasStackTraceContaining("Restore the newest checkpoint");
            }
        }
    }

    @Test
    void aCallThatWaitsForALogThatIsNotThereIsRefused() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            assertThatThrownBy(() -> harness.operator.host().handler("a:1").callLogged(0, "charge"))
                    .hasMessageContaining("the operator has none");
        }
    }
}
