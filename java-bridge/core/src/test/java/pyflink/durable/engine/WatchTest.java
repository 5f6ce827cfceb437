package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.LogLines;

/** An operator that has work and does not get on with it says what waits for what. */
@Timeout(60)
class WatchTest {

    private static final long INTERVAL = 1_000;
    private static final long PATIENCE = Watch.LEAST_PATIENCE_MILLIS;

    private final LogLines log = LogLines.open();

    @AfterEach
    void closeLog() {
        log.close();
    }

    private static DurableHarness open(int maxInFlight, int maxPending) throws Exception {
        return DurableHarness.setup()
                .limits(maxInFlight, maxPending)
                .checkpoints(INTERVAL, 5_000)
                .open();
    }

    /** Goes on in steps of a second, in which the watch looks. */
    private static void pass(DurableHarness harness, long millis) throws Exception {
        long end = harness.flink.getProcessingTime() + millis;
        while (harness.flink.getProcessingTime() < end) {
            harness.flink.setProcessingTime(harness.flink.getProcessingTime() + 1_000);
        }
    }

    /** The same, with checkpoints that complete. */
    private static void passWithCheckpoints(DurableHarness harness, long millis) throws Exception {
        for (long at = 0; at < millis; at += 10_000) {
            pass(harness, 10_000);
            harness.complete(harness.checkpoint());
        }
    }

    private static long stalledSeconds(DurableHarness harness) {
        return harness.operator.engine().stalledSeconds();
    }

    @Test
    void handlersThatWaitForEachOther() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            for (String key : new String[] {"a", "b", "c", "d"}) {
                harness.send(key, "1");
            }
            harness.send("a", "2");
            passWithCheckpoints(harness, PATIENCE - 10_000);
            assertThat(log.warnings()).isEmpty();
            assertThat(stalledSeconds(harness)).isZero();
            passWithCheckpoints(harness, 20_000);
            assertThat(log.warnings())
                    .singleElement()
                    .asString()
                    .matches(
                            "Operator durable has work of which nothing has moved for 6\\d s:"
                                    + " handlers that wait in their process \\(for a thread, a lock,"
                                    + " another handler\\): 2, inputs in line: 3 \\(only for a"
                                    + " place: 2\\); it takes in input; the last"
                                    + " checkpoint completed \\d+ s ago, and none has come since\\.");
            assertThat(stalledSeconds(harness)).isBetween(60L, 75L);
        }
    }

    @Test
    void itIsToldAgainEachTimeThatItHasLastedTwiceAsLong() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            passWithCheckpoints(harness, 10 * PATIENCE);
            assertThat(log.warnings()).hasSize(4); // after 1, 2, 4 and 8 minutes
        }
    }

    @Test
    void workThatMovesIsNotToldOf() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            for (int slot = 0; slot < 5; slot++) {
                passWithCheckpoints(harness, PATIENCE - 10_000);
                harness.operator.host().handler("a:1").call(slot, "look up");
                harness.operator.host().handler("a:1").succeed(slot, "look up", "found");
            }
            harness.end("a:1");
            passWithCheckpoints(harness, 2 * PATIENCE); // nothing to do is no standstill
            assertThat(log.warnings()).isEmpty();
        }
    }

    @Test
    void whatHasMovedAgainIsOver() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            passWithCheckpoints(harness, PATIENCE + 10_000);
            assertThat(stalledSeconds(harness)).isPositive();
            harness.end("a:1");
            pass(harness, 10_000);
            assertThat(stalledSeconds(harness)).isZero();
            assertThat(log.warnings()).hasSize(1);
        }
    }

    @Test
    void aCallUnderWayMayTakeTenTimesAsLong() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").call(0, "orders.charge");
            passWithCheckpoints(harness, 9 * PATIENCE);
            assertThat(log.warnings()).isEmpty();
            assertThat(stalledSeconds(harness)).isZero();
            passWithCheckpoints(harness, 10 * PATIENCE);
            assertThat(log.warnings())
                    .singleElement()
                    .asString()
                    .contains("s: calls under way: 1 (orders.charge); it takes in input");
        }
    }

    @Test
    void sleepsAreNotToldOf() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").schedule(0, "sleep", 1, 1_000 * PATIENCE);
            passWithCheckpoints(harness, 30 * PATIENCE);
            assertThat(log.warnings()).isEmpty();
        }
    }

    @Test
    void aCheckpointThatDoesNotComeToTheGate() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "orders.charge");
            harness.runMails();
            pass(harness, PATIENCE + 5_000);
            assertThat(log.warnings())
                    .singleElement()
                    .asString()
                    .matches(
                            "Operator durable waits for a checkpoint, and none has completed for"
                                    + " 6\\d s: calls that wait for a checkpoint: 1 \\(orders.charge\\);"
                                    + " it takes in input; no checkpoint has completed in this"
                                    + " attempt, which began 6\\d s ago, and none has come since\\.");
            assertThat(stalledSeconds(harness)).isPositive();
            harness.complete(harness.checkpoint());
            pass(harness, 5_000);
            assertThat(stalledSeconds(harness)).isZero();
        }
    }

    /** Snapshots are taken, and the checkpoint fails elsewhere. */
    @Test
    void checkpointsThatAreBegunAndDoNotComplete() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.send("a", "1");
            harness.complete(harness.checkpoint());
            harness.operator.host().handler("a:1").callGated(0, "orders.charge");
            harness.runMails();
            for (long at = 0; at <= PATIENCE; at += 10_000) {
                pass(harness, 10_000);
                harness.checkpoint();
            }
            assertThat(log.warnings())
                    .singleElement()
                    .asString()
                    .matches(
                            ".*; the last checkpoint completed 6\\d s ago, and one that came \\d+ s"
                                    + " ago has not\\.");
        }
    }

    /** Calls end now and then; all that they did would be done again after a failure. */
    @Test
    void aFullOperatorThatNoCheckpointComesTo() throws Exception {
        try (DurableHarness harness = open(1, 2)) {
            // the third fills it; the wait for room ends when the valve opens
            harness.operator
                    .mailbox()
                    .execute(
                            () -> {
                                for (int slot = 0; slot < 8; slot++) {
                                    pass(harness, 8_000);
                                    harness.operator.host().handler("a:1").call(slot, "poll");
                                    harness.operator
                                            .host()
                                            .handler("a:1")
                                            .succeed(slot, "poll", "no");
                                }
                                assertThat(log.warnings())
                                        .singleElement()
                                        .asString()
                                        .contains(
                                                "Operator durable waits for a checkpoint, and none")
                                        .contains(
                                                "it is full (max_pending), and takes in no input");
                                harness.operator.host().running().get(0).end();
                            },
                            "a minute");
            harness.send("a", "1");
            harness.send("b", "1");
            harness.send("c", "1");
            assertThat(log.warnings())
                    .filteredOn(line -> line.startsWith("Operator durable waits for a checkpoint"))
                    .hasSize(1);
        }
    }

    @Test
    void theOperatorsBehindTakeNoOutputs() throws Exception {
        try (DurableHarness harness = open(2, 10)) {
            harness.operator.outputAvailable(CompletableFuture::new);
            harness.send("a", "1");
            harness.end("a:1");
            passWithCheckpoints(harness, PATIENCE + 10_000);
            assertThat(log.warnings())
                    .singleElement()
                    .asString()
                    .contains("ended handlers whose outputs nobody takes: 1; it takes in input");
        }
    }
}
