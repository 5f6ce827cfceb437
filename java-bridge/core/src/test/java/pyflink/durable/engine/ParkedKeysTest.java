package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.ParkingFixture.DAY;
import static pyflink.durable.engine.ParkingFixture.PARK_AFTER;
import static pyflink.durable.engine.ParkingFixture.jump;
import static pyflink.durable.engine.ParkingFixture.parked;
import static pyflink.durable.engine.ParkingFixture.pass;
import static pyflink.durable.engine.ParkingFixture.running;
import static pyflink.durable.engine.ParkingFixture.setup;
import static pyflink.durable.engine.ParkingFixture.signal;
import static pyflink.durable.engine.ParkingFixture.sleeping;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

/** Whom a handler that is parked waits for, and what comes for its key meanwhile. */
class ParkedKeysTest {

    @Test
    void aWaitThatWasGivenUpNeitherKeepsItAwakeNorHasItGoOn() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            HarnessHandler handler = sleeping(harness, "k:order");
            handler.sleepUntil(1, 5_000); // a timeout around a call
            handler.sleepUntil(2, DAY / 2);
            handler.giveUp(1);
            handler.giveUp(2);
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();

            jump(harness, DAY / 2);
            assertThat(parked(harness)).isOne();
            jump(harness, DAY);
            assertThat(parked(harness)).isZero();
        }
    }

    @Test
    void oneThatDoesNotLetItselfBeParkedIsAskedNowAndAgainAndKeepsNobodyFromIt() throws Exception {
        try (DurableHarness harness = setup().limits(2_000, 10_000).open()) {
            harness.operator.host().onStart(handler -> handler.sleepUntil(0, DAY));
            for (int i = 0; i < 1_000; i++) {
                harness.send("awake" + i, "x");
            }
            harness.send("k", "x");
            harness.runMails();
            harness.operator.host().running().stream()
                    .filter(handler -> handler.toString().startsWith("awake"))
                    .forEach(HarnessHandler::stayAwake);
            pass(harness, PARK_AFTER + 4_000);

            assertThat(parked(harness)).isOne();
            assertThat(harness.operator.host().asked()).hasSizeLessThan(5_000);
        }
    }

    @Test
    void aSignalOfAnotherNameDoesNotHaveItGoOn() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            running(harness, "k:order").waitForSignal(0);
            pass(harness, PARK_AFTER + 2_000);
            signal(harness, "k", "reminder again");
            assertThat(parked(harness)).isOne();
            signal(harness, "k", "approval yes");
            assertThat(parked(harness)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void itIsToldForHowLongTheOldestWaits(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().backend(backend).open()) {
            harness.send("first", "x");
            sleeping(harness, "first:x");
            pass(harness, PARK_AFTER + 2_000);
            harness.send("second", "x");
            running(harness, "second:x").sleepUntil(0, 2 * DAY);
            pass(harness, 4 * PARK_AFTER);
            assertThat(parked(harness)).isEqualTo(2);
            assertThat(oldest(harness)).isBetween(3 * PARK_AFTER - 3_000, 3 * PARK_AFTER);
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().backend(backend).open(snapshot)) {
            jump(harness, 4 * PARK_AFTER);
            assertThat(oldest(harness)).isBetween(3 * PARK_AFTER - 3_000, 3 * PARK_AFTER);
            jump(harness, DAY);
            assertThat(oldest(harness)).isLessThan(DAY - 2 * PARK_AFTER).isPositive();
            jump(harness, 2 * DAY);
            assertThat(oldest(harness)).isZero();
        }
    }

    private static long oldest(DurableHarness harness) {
        return harness.operator.engine().oldestWaitMillis();
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void noMoreInputsWaitForAKeyThanTheJobSays(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        DurableHarness.Setup bounded = setup().backend(backend).maxWaitingPerKey(2);
        try (DurableHarness harness = bounded.open()) {
            harness.send("k", "head");
            harness.send("k", "1");
            sleeping(harness, "k:head");
            pass(harness, PARK_AFTER + 2_000);
            harness.send("k", "2");
            harness.send("k", "3", 77);
            harness.send("other", "x");
            assertThat(harness.flink.getOutput())
                    .containsExactly(new StreamRecord<>("refused k:3", 77));
            assertThat(harness.count("refused")).isOne();
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = bounded.open(snapshot)) {
            harness.runMails();
            harness.send("k", "4");
            jump(harness, DAY);
            harness.send("k", "5");
            assertThat(harness.outputs()).containsExactly("refused k:4", "refused k:5");
            harness.end("k:head");
            harness.send("k", "6");
            harness.endAll();
            assertThat(harness.started()).containsExactly("other:x", "k:head", "k:1", "k:2", "k:6");
        }
    }

    /** Nobody wakes the task for those that end in the step in which they go on. */
    @Test
    void thousandsThatAreDueAtOnceAllGoOnWithoutAWordFromOutside() throws Exception {
        try (DurableHarness harness = setup().open()) {
            List<String> inOrder = parkMany(harness, 3_000);
            harness.operator.host().onStart(HarnessHandler::endWithoutWake);
            jump(harness, 2 * DAY);

            assertThat(harness.outputs()).containsExactlyElementsOf(inOrder);
        }
    }

    @Test
    void thousandsThatAreDueAtOnceHoldNeitherCheckpointsNorInputs() throws Exception {
        try (DurableHarness harness = setup().limits(100, 10_000).open()) {
            parkMany(harness, 3_000);
            harness.operator.host().onStart(HarnessHandler::endWithoutWake);
            List<Integer> before = new ArrayList<>();
            harness.flink.setProcessingTime(2 * DAY);
            for (int i = 0; i < 5; i++) { // behind each mail of the engine one of these
                look(harness, before, 5 - i);
            }
            harness.runMails();

            assertThat(before).hasSize(5).allMatch(count -> count < 3_000);
            assertThat(harness.outputs()).hasSize(3_005).contains("new5:x");
        }
    }

    /** A mail that is put behind those that are there: a checkpoint, and an input. */
    private static void look(DurableHarness harness, List<Integer> before, int number)
            throws Exception {
        harness.operator
                .mailbox()
                .execute(
                        () -> {
                            before.add(harness.outputs().size());
                            harness.snapshot();
                            harness.send("new" + number, "x");
                        },
                        "checkpoint and input");
    }

    private static List<String> parkMany(DurableHarness harness, int count) throws Exception {
        List<String> inOrder = new ArrayList<>();
        harness.operator.host().onStart(handler -> handler.sleepUntil(0, DAY + handler.id()));
        for (int i = 0; i < count; i++) {
            harness.send("k" + i, "x");
            inOrder.add("k" + i + ":x");
        }
        pass(harness, 2 * PARK_AFTER);
        assertThat(parked(harness)).isEqualTo(count);
        return inOrder;
    }
}
