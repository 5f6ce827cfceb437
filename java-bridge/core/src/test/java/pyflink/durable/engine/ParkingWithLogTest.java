package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.ParkingFixture.DAY;
import static pyflink.durable.engine.ParkingFixture.PARK_AFTER;
import static pyflink.durable.engine.ParkingFixture.TIMER;
import static pyflink.durable.engine.ParkingFixture.jump;
import static pyflink.durable.engine.ParkingFixture.parked;
import static pyflink.durable.engine.ParkingFixture.pass;
import static pyflink.durable.engine.ParkingFixture.running;
import static pyflink.durable.engine.ParkingFixture.sleeping;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.operator.MemoryCallLog;

/** Parked invocations of an operator with a call log: what that holds of them is not lost. */
class ParkingWithLogTest {

    private final MemoryCallLog log = new MemoryCallLog();

    private DurableHarness.Setup setup(Backend backend) {
        return ParkingFixture.setup().backend(backend).callLog(log);
    }

    private static String sleep(long due) {
        return TIMER + " PENDING due " + due;
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void goesOnAfterAFailureWithWhatTheLogHoldsBeyondTheCheckpoint(Backend backend)
            throws Exception {
        long checkpoint;
        DurableHarness first = setup(backend).open();
        try (DurableHarness harness = first) {
            harness.send("k", "order");
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();
            checkpoint = harness.checkpoint();
            harness.complete(checkpoint);

            jump(harness, DAY); // behind the checkpoint it goes on, calls, and is parked again
            HarnessHandler handler = harness.operator.host().handler("k:order");
            handler.fire(0);
            handler.call(1, "charge");
            handler.succeed(1, "charge", "receipt");
            handler.sleepUntil(2, 3 * DAY);
            pass(harness, DAY + PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();
            log.attempt().flush();
        }
        DurableHarness.Setup again = setup(backend);
        try (DurableHarness harness = again.open(first.snapshotOf(checkpoint), checkpoint)) {
            harness.runMails(); // a clock that stands behind the wait does not matter
            assertThat(harness.started()).containsExactly("k:order");
            assertThat(harness.operator.host().handler("k:order").journal())
                    .containsExactly(
                            TIMER + " SUCCEEDED ", "charge SUCCEEDED receipt", sleep(3 * DAY));
            assertThat(harness.count("recovered")).isPositive();
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();

            long next = harness.checkpoint();
            harness.complete(next);
            log.forgetAll();
            try (DurableHarness later = again.open(harness.snapshotOf(next), next)) {
                later.runMails();
                assertThat(later.started()).isEmpty();
                jump(later, 3 * DAY);
                assertThat(later.operator.host().handler("k:order").journal())
                        .containsExactly(
                                TIMER + " SUCCEEDED ", "charge SUCCEEDED receipt", sleep(3 * DAY));
                later.end("k:order");
                assertThat(later.outputs()).containsExactly("k:order");
            }
        }
    }

    @Test
    void staysAwakeAsLongAsTheLogHasNotTakenWhatItWrote() throws Exception {
        try (DurableHarness harness = setup(Backend.HASHMAP).limits(1, 1).open()) {
            harness.send("k", "order");
            HarnessHandler handler = running(harness, "k:order");
            handler.call(0, "charge");
            handler.succeedLogged(0, "charge", "receipt");
            handler.sleepUntil(1, DAY);
            pass(harness, PARK_AFTER);
            assertThat(parked(harness)).isZero();

            log.attempt().flush();
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();
            assertThat(harness.operator.host().takeReleases()).containsExactly("k:order 0");
        }
    }

    @Test
    void whatTheLogHoldsOfInputsThatHaveNotComeBackWakesOnlyTheirKey() throws Exception {
        long checkpoint;
        DurableHarness first = setup(Backend.HASHMAP).open();
        try (DurableHarness harness = first) {
            harness.send("k", "order");
            harness.send("other", "order");
            sleeping(harness, "k:order");
            sleeping(harness, "other:order");
            pass(harness, PARK_AFTER + 2_000);
            checkpoint = harness.checkpoint();
            harness.complete(checkpoint);
            harness.send("new", "order");
            running(harness, "new:order").call(0, "charge");
            log.attempt().flush();
        }
        try (DurableHarness harness =
                setup(Backend.HASHMAP).open(first.snapshotOf(checkpoint), checkpoint)) {
            harness.runMails();
            assertThat(harness.started()).isEmpty();
            assertThat(parked(harness)).isEqualTo(2);
        }
    }
}
