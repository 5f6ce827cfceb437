package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/**
 * When a full operator takes in more inputs, and when it waits: here every handler makes one call,
 * which goes to the gate, unless a test says otherwise. A wait of the operator is one of the test's
 * thread; mails that were put before run during it.
 */
@Timeout(20)
class ValveTest extends ValveFixture {

    /** An operator that is full by calls at the gate, with its valve shut by a snapshot. */
    private DurableHarness openFullAndShut() throws Exception {
        DurableHarness harness = open(10, 3);
        harness.checkpoint();
        harness.send("a", "1");
        harness.send("b", "1");
        return harness; // the next input is the third, and full is from three
    }

    private void send(DurableHarness harness, String key, String value) throws Exception {
        harness.send(key, value);
        log.add(key + ":" + value + " taken in");
    }

    /** An attempt that was restored, with nothing in flight; its valve is open. */
    private DurableHarness openRestored(int maxInFlight, int maxPending) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = open(maxInFlight, maxPending)) {
            snapshot = harness.snapshot();
        }
        return open(maxInFlight, maxPending, snapshot);
    }

    @Nested
    class OfAFreshAttempt {

        /** A job that catches up with a backlog would take in all of it. */
        @Test
        void isShut() throws Exception {
            try (DurableHarness harness = open(10, 3)) {
                harness.send("a", "1");
                harness.send("b", "1");
                duringTheWait(harness, "ends", () -> harness.operator.host().handler("a:1").end());

                send(harness, "c", "1");
                assertThat(log).containsExactly("ends", "c:1 taken in");
                assertThat(harness.count("valvePassed")).isZero();
            }
        }
    }

    @Nested
    class OfARestoredAttempt {

        @Test
        void isOpenUntilTheFirstSnapshot() throws Exception {
            try (DurableHarness harness = openRestored(10, 3)) {
                for (int i = 0; i < 12; i++) {
                    send(harness, "recovered" + i, "1");
                }
                assertThat(log).hasSize(12);

                long first = harness.checkpoint();
                duringTheWait(harness, "completed", () -> tell(harness, first));
                harness.operator.host().onRelease(HarnessHandler::end);
                send(harness, "next", "1");
                assertThat(log.subList(12, 14)).containsExactly("completed", "next:1 taken in");
            }
        }

        @Test
        void countsWhatPasses() throws Exception {
            try (DurableHarness harness = openRestored(10, 3)) {
                harness.send("a", "1");
                harness.send("b", "1");
                assertThat(harness.count("valvePassed")).isZero();
                harness.send("c", "1");
                harness.send("d", "1");
                assertThat(harness.count("valvePassed")).isEqualTo(2);
            }
        }

        @Test
        void letsInputsOfABusyKeyThrough() throws Exception {
            try (DurableHarness harness = openRestored(10, 3)) {
                for (int i = 0; i < 20; i++) {
                    harness.send("hot", "" + i);
                }
                assertThat(harness.started()).containsExactly("hot:0");
                assertThat(harness.operator.engine().scheduler().waitingCount()).isEqualTo(20);
            }
        }

        /** Calls may take hours, and until the operator has read on no checkpoint comes. */
        @Test
        void isOpenWhateverTheOperatorIsFullOf() throws Exception {
            try (DurableHarness harness = openRestored(1, 2)) {
                harness.operator.host().onStart(handler -> handler.call(0, "a long one"));
                for (int i = 0; i < 20; i++) {
                    harness.send("key" + i, "1");
                }
                assertThat(harness.operator.engine().scheduler().inFlightCount()).isEqualTo(20);
            }
        }

        @Test
        void letsThroughWhatTheNetworkCanHoldAndAgainAfterAWait() throws Exception {
            try (DurableHarness harness = openRestored(10, 3)) {
                harness.operator.network().capacity(5);
                for (int i = 0; i < 8; i++) { // the valve lets through from the third on
                    send(harness, "key" + i, "1");
                    harness.operator.network().read(i < 2 ? 0 : 1);
                }
                duringTheWait(
                        harness, "almost", () -> setTimeFiredByTimer(harness, 2 * INTERVAL - 1));
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, 2 * INTERVAL));
                send(harness, "key8", "1");
                assertThat(log.subList(8, 11)).containsExactly("almost", "due", "key8:1 taken in");
            }
        }

        /** With a limit it would never go on: what it must read is what the checkpoint had. */
        @Test
        void hasNoLimitUntilTheFirstSnapshot() throws Exception {
            try (DurableHarness harness = openRestored(1, 1)) {
                for (int i = 0; i < 2 * Valve.HARD_LIMIT; i++) {
                    harness.send("key" + i, "1");
                }
                assertThat(harness.operator.engine().scheduler().waitingCount())
                        .isEqualTo(2 * Valve.HARD_LIMIT);
            }
        }
    }

    /** The task does not count as running before it has read that, and takes no checkpoint. */
    @Test
    void channelDataOfTheCheckpointIsAlwaysTakenIn() throws Exception {
        try (DurableHarness harness = open(1, 2)) {
            harness.checkpoint();
            harness.operator.network().recovering(true);
            harness.operator.host().onStart(handler -> handler.call(0, "a long one"));
            for (int i = 0; i < 100; i++) {
                harness.send("key" + i, "1");
            }
            assertThat(harness.operator.engine().scheduler().inFlightCount()).isEqualTo(100);
        }
    }

    @Nested
    class ShutByASnapshot {

        @Test
        void afterASnapshotAnOperatorThatIsFullByTheGateWaitsForTheRelease() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                long[] checkpoint = new long[1];
                duringTheWait(harness, "taken", () -> checkpoint[0] = harness.checkpoint());
                duringTheWait(harness, "completed", () -> tell(harness, checkpoint[0]));

                send(harness, "c", "1");
                assertThat(log).containsExactly("taken", "completed", "c:1 taken in");
                assertThat(harness.count("valvePassed")).isZero();
            }
        }

        @Test
        void inputsInLineBehindACallAtTheGateFillTheOperator() throws Exception {
            try (DurableHarness harness = open(10, 3)) {
                harness.checkpoint();
                harness.send("hot", "1");
                harness.send("hot", "2");
                duringTheWait(
                        harness, "ends", () -> harness.operator.host().handler("hot:1").end());

                send(harness, "hot", "3");
                assertThat(log).containsExactly("ends", "hot:3 taken in");
            }
        }

        @Test
        void itOpensWhenTheGateAloneHasHeldInputBackForACheckpointInterval() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                duringTheWait(harness, "almost", () -> setTimeFiredByTimer(harness, INTERVAL - 1));
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, INTERVAL));
                send(harness, "c", "1");
                assertThat(log).containsExactly("almost", "due", "c:1 taken in");

                send(harness, "d", "1");
                send(harness, "e", "1");
                assertThat(harness.count("valvePassed")).isEqualTo(3);
            }
        }

        @Test
        void theNextSnapshotShutsItAgainAlsoThatOfASavepoint() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, INTERVAL));
                harness.send("c", "1");
                harness.savepoint(SavepointType.savepoint(SavepointFormatType.CANONICAL));

                duringTheWait(
                        harness, "due again", () -> setTimeFiredByTimer(harness, 2 * INTERVAL));
                send(harness, "d", "1");
                assertThat(log).containsExactly("due", "due again", "d:1 taken in");
            }
        }

        @Test
        void aSnapshotDuringTheWaitBeginsTheIntervalAnew() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                duringTheWait(
                        harness,
                        "taken late",
                        () -> {
                            harness.flink.setProcessingTime(INTERVAL - 1);
                            harness.checkpoint(); // is never completed
                        });
                duringTheWait(
                        harness, "at first due", () -> harness.flink.setProcessingTime(1_500));
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, 2 * INTERVAL - 1));

                send(harness, "c", "1");
                assertThat(log)
                        .containsExactly("taken late", "at first due", "due", "c:1 taken in");
            }
        }

        @Test
        void theIntervalIsOfOneWaitThoughSingleInputsGetThrough() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                duringTheWait(
                        harness,
                        "half, and one ends",
                        () -> {
                            harness.flink.setProcessingTime(INTERVAL / 2);
                            harness.operator.host().handler("a:1").end();
                        });
                send(harness, "c", "1"); // a trickle is not a flow: still held back

                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, INTERVAL));
                send(harness, "d", "1");
                assertThat(log)
                        .containsExactly(
                                "half, and one ends", "c:1 taken in", "due", "d:1 taken in");
            }
        }

        @Test
        void anInputThatFindsRoomBeginsTheIntervalAnew() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                long checkpoint = harness.checkpoint();
                duringTheWait(
                        harness,
                        "released",
                        () -> {
                            harness.flink.setProcessingTime(INTERVAL - 1);
                            tell(harness, checkpoint);
                        });
                send(harness, "c", "1");
                send(harness, "d", "1");

                duringTheWait(harness, "not due", () -> harness.flink.setProcessingTime(1_500));
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, 2 * INTERVAL - 1));
                send(harness, "e", "1");
                assertThat(log)
                        .containsExactly(
                                "released",
                                "c:1 taken in",
                                "d:1 taken in",
                                "not due",
                                "due",
                                "e:1 taken in");
            }
        }

        @Test
        void itOpensForHandlersThatWaitForWhatOneAtTheGateHas() throws Exception {
            try (DurableHarness harness = open(3, 2)) {
                harness.checkpoint();
                harness.send("a", "1"); // has the only thread, and is at the gate
                harness.operator.host().onStart(handler -> {});
                for (String key : List.of("b", "c", "d")) {
                    harness.send(key, "1");
                }
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, INTERVAL));
                send(harness, "e", "1");
                assertThat(log).containsExactly("due", "e:1 taken in");
            }
        }

        @Test
        void anOperatorThatIsFullOfRunningWorkIsHeldBackForLonger() throws Exception {
            try (DurableHarness harness = open(1, 2)) {
                harness.checkpoint();
                harness.operator.host().onStart(handler -> handler.call(0, "a long one"));
                harness.send("a", "1");
                harness.send("b", "1");
                long patience = Valve.PATIENCE * INTERVAL;
                duringTheWait(harness, "almost", () -> setTimeFiredByTimer(harness, patience - 1));
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, patience));
                send(harness, "c", "1");
                assertThat(log).containsExactly("almost", "due", "c:1 taken in");
            }
        }

        @Test
        void eachOpeningWithoutASnapshotTakesTwiceAsLongToCome() throws Exception {
            try (DurableHarness harness = openFullAndShut()) {
                harness.operator.network().capacity(0);
                long time = 0;
                for (int opening = 0; opening < 5; opening++) {
                    long due = time + (INTERVAL << opening);
                    duringTheWait(harness, "almost", () -> setTimeFiredByTimer(harness, due - 1));
                    duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, due));
                    send(harness, "key" + opening, "1");
                    assertThat(log)
                            .containsExactly("almost", "due", "key" + opening + ":1 taken in");
                    log.clear();
                    harness.operator.network().read(1);
                    time = due;
                }
            }
        }

        @Test
        void itNeverLetsMoreWaitThanAMultipleOfMaxPending() throws Exception {
            try (DurableHarness harness = open(1, 2)) {
                harness.checkpoint();
                harness.send("key0", "1");
                duringTheWait(harness, "due", () -> setTimeFiredByTimer(harness, INTERVAL));
                int limit = 2 * Valve.HARD_LIMIT;
                for (int i = 1; i < limit - 1; i++) {
                    harness.send("key" + i, "1");
                }
                assertThat(harness.operator.engine().scheduler().inFlightCount())
                        .isEqualTo(limit - 1);
                assertThat(harness.started()).as("as handlers").hasSize(3);

                duringTheWait(
                        harness, "much later", () -> harness.flink.setProcessingTime(1_000_000));
                duringTheWait(
                        harness, "ends", () -> harness.operator.host().handler("key0:1").end());
                send(harness, "last", "1");
                assertThat(log).containsExactly("due", "much later", "ends", "last:1 taken in");
            }
        }
    }
}
