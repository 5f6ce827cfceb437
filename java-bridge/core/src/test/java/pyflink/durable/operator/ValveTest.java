package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * When an operator whose calls wait for a checkpoint takes in more inputs, and when it waits: here
 * every handler makes one call, which goes to the gate. A wait of the operator is one of the test's
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

    @Nested
    class Open {

        @Test
        void untilTheFirstSnapshotOfAnAttemptTheGateHoldsNoInputBack() throws Exception {
            try (DurableHarness harness = open(10, 3)) {
                for (int i = 0; i < 20; i++) {
                    harness.send("key" + i, "1");
                }
                assertThat(harness.operator.engine().atGate()).isEqualTo(20);
            }
        }

        @Test
        void whatPassesIsCounted() throws Exception {
            try (DurableHarness harness = open(10, 3)) {
                harness.send("a", "1");
                harness.send("b", "1");
                assertThat(harness.count("valvePassed")).isZero();
                harness.send("c", "1");
                harness.send("d", "1");
                assertThat(harness.count("valvePassed")).isEqualTo(2);
            }
        }

        @Test
        void inputsInLineBehindACallAtTheGateAreHeldByTheGateToo() throws Exception {
            try (DurableHarness harness = open(10, 3)) {
                for (int i = 0; i < 20; i++) {
                    harness.send("hot", "" + i);
                }
                assertThat(harness.started()).containsExactly("hot:0");
                assertThat(harness.operator.scheduler().waitingCount()).isEqualTo(20);
            }
        }

        @Test
        void aRestoredAttemptTakesInMoreThanFitsUntilItsFirstSnapshot() throws Exception {
            OperatorSubtaskState snapshot;
            try (DurableHarness harness = open(10, 3)) {
                for (int i = 0; i < 6; i++) {
                    harness.send("key" + i, "1");
                }
                snapshot = harness.snapshot();
            }
            try (DurableHarness harness = open(20, 3, snapshot)) {
                for (int i = 0; i < 6; i++) {
                    send(harness, "recovered" + i, "1");
                }
                assertThat(log).hasSize(6);

                long first = harness.checkpoint();
                duringTheWait(harness, "completed", () -> tell(harness, first));
                send(harness, "next", "1");
                assertThat(log.subList(6, 8)).containsExactly("completed", "next:1 taken in");
            }
        }

        @Test
        void anOperatorThatIsFullOfRunningWorkWaitsAllTheSame() throws Exception {
            try (DurableHarness harness = open(1, 2)) {
                harness.operator.onStart(handler -> {});
                harness.send("a", "1");
                harness.send("b", "1");
                duringTheWait(harness, "a:1 ends", () -> harness.operator.handler("a:1").end());

                send(harness, "c", "1");
                assertThat(log).containsExactly("a:1 ends", "c:1 taken in");
                assertThat(harness.count("valvePassed")).isZero();
            }
        }

        @Test
        void releasedInvocationsThatWaitForAPlaceAreNotHeldByTheGate() throws Exception {
            try (DurableHarness harness = open(1, 2)) {
                harness.send("a", "1");
                harness.send("b", "1");
                harness.send("c", "1");
                harness.complete(harness.checkpoint()); // a:1 has the place, two wait for it
                duringTheWait(
                        harness,
                        "long after",
                        () -> {
                            harness.flink.setProcessingTime(100 * INTERVAL);
                            harness.operator.bridge().wake();
                        });
                duringTheWait(harness, "a:1 ends", () -> harness.operator.handler("a:1").end());
                duringTheWait(harness, "b:1 ends", () -> harness.operator.handler("b:1").end());

                send(harness, "d", "1");
                assertThat(log)
                        .containsExactly("long after", "a:1 ends", "b:1 ends", "d:1 taken in");
            }
        }
    }

    @Nested
    class Shut {

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
                duringTheWait(harness, "ends", () -> harness.operator.handler("hot:1").end());

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
                            harness.operator.handler("a:1").end();
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
    }
}
