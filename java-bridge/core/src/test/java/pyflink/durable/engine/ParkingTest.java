package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.ParkingFixture.DAY;
import static pyflink.durable.engine.ParkingFixture.PARK_AFTER;
import static pyflink.durable.engine.ParkingFixture.TIMER;
import static pyflink.durable.engine.ParkingFixture.jump;
import static pyflink.durable.engine.ParkingFixture.parked;
import static pyflink.durable.engine.ParkingFixture.pass;
import static pyflink.durable.engine.ParkingFixture.setup;
import static pyflink.durable.engine.ParkingFixture.signal;
import static pyflink.durable.engine.ParkingFixture.sleeping;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

class ParkingTest {

    @Test
    void isDroppedWhenItHasWaitedAndGoesOnFromItsJournal() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER);
            assertThat(parked(harness)).isZero();
            pass(harness, PARK_AFTER + 2_000);

            assertThat(parked(harness)).isOne();
            assertThat(harness.operator.host().running()).isEmpty();
            assertThat(harness.operator.engine().scheduler().inFlightCount()).isZero();
            assertThat(harness.operator.engine().scheduler().running()).isEmpty();

            jump(harness, DAY);
            assertThat(parked(harness)).isZero();
            assertThat(harness.started()).containsExactly("k:order", "k:order");
            assertThat(harness.operator.host().handler("k:order").journal())
                    .containsExactly(TIMER + " PENDING due " + DAY);
            harness.end("k:order");
            assertThat(harness.outputs()).containsExactly("k:order");
            assertThat(harness.count("parkedTotal")).isOne();
            assertThat(harness.count("woken")).isOne();
        }
    }

    @Test
    void staysAwakeWithACallUnderWayOrAShortWaitOrIfItSaysSo() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("call", "x");
            harness.send("short", "x");
            harness.send("awake", "x");
            harness.send("inside", "x");
            sleeping(harness, "call:x").call(1, "charge");
            harness.operator.host().handler("short:x").sleepUntil(0, PARK_AFTER + 1_900);
            sleeping(harness, "awake:x").stayAwake();
            pass(harness, PARK_AFTER + 2_000);

            assertThat(parked(harness)).isZero();
            assertThat(harness.operator.host().running()).hasSize(4);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void isNotStartedByARestoreAndGoesOnWhenItIsTime(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().backend(backend).open()) {
            harness.send("k", "order");
            harness.send("k", "behind");
            harness.send("other", "order");
            sleeping(harness, "k:order");
            harness.snapshot();
            pass(harness, PARK_AFTER + 2_000);
            harness.send("k", "last");
            snapshot = harness.snapshot();
            assertThat(harness.operator.engine().scheduler().inFlightCount()).isOne();
        }
        try (DurableHarness harness = setup().backend(backend).open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).containsExactly("other:order");
            assertThat(parked(harness)).isOne();
            jump(harness, DAY);
            assertThat(harness.started()).containsExactly("other:order", "k:order");
            HarnessHandler head = harness.operator.host().handler("k:order");
            assertThat(head.journal()).containsExactly(TIMER + " PENDING due " + DAY);
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().backend(backend).open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).containsExactlyInAnyOrder("other:order", "k:order");
            harness.endAll();
            assertThat(harness.started()).endsWith("k:behind", "k:last");
            harness.send("k", "new");
            assertThat(harness.operator.host().handler("k:new").sequence()).isEqualTo(3);
        }
    }

    @Test
    void goesOnWhenASignalComes() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("signal", "x");
            harness.send("sleep", "x");
            sleeping(harness, "sleep:x");
            harness.operator.host().handler("signal:x").waitForSignal(0);
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isEqualTo(2);

            signal(harness, "sleep", "approval yes");
            signal(harness, "signal", "approval yes");
            assertThat(parked(harness)).isOne();
            assertThat(harness.operator.host().handler("signal:x").take(0, "approval"))
                    .isEqualTo("approval yes");
        }
    }

    @Test
    void goesOnWhateverItWaitsForIfASignalCancelsIt() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "x");
            sleeping(harness, "k:x");
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();

            signal(harness, "k", Signals.CANCEL + " why - 0");
            assertThat(parked(harness)).isZero();
            long id = harness.operator.host().handler("k:x").id();
            assertThat(harness.operator.bridge().takeSignal(id, Signals.CANCEL, "0")).isNotNull();
        }
    }

    @Test
    void tellsWhichOfItsInputsHaveEnded() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "ended");
            harness.send("k", "parked");
            harness.send("k", "behind");
            harness.runMails();
            harness.end("k:ended");
            sleeping(harness, "k:parked");
            pass(harness, PARK_AFTER + 2_000);
            assertThat(parked(harness)).isOne();

            signal(harness, "k", "approval late - 0");
            signal(harness, "k", "approval yes - 1");
            signal(harness, "k", "approval yes - 2");
            assertThat(harness.outputs())
                    .containsExactly(
                            "k:ended", "unclaimed approval late - 0: its invocation has ended");
        }
    }

    @Test
    void isParkedAtOnceWhenThereIsNoPlaceLeft() throws Exception {
        try (DurableHarness harness = setup().limits(2, 3).open()) {
            for (int i = 0; i < 4; i++) {
                harness.send("k" + i, "x");
            }
            harness.runMails();
            harness.operator.host().handler("k0:x").waitForSignal(0);
            harness.operator.host().handler("k1:x").waitForSignal(0);
            harness.operator.host().onStart(handler -> handler.waitForSignal(0));
            pass(harness, 2_000);

            assertThat(parked(harness)).isEqualTo(4);
            harness.operator.host().onStart(handler -> {});
            signal(harness, "k2", "approval yes");
            assertThat(harness.operator.host().running()).hasSize(1);
        }
    }

    @Test
    void thousandsThatAreDueAtOnceGoOnInOrderAsFarAsThereArePlaces() throws Exception {
        try (DurableHarness harness = setup().limits(10, 1_000).open()) {
            List<String> inOrder = new ArrayList<>();
            harness.operator.host().onStart(handler -> handler.sleepUntil(0, DAY + handler.id()));
            for (int i = 0; i < 200; i++) {
                harness.send("k" + i, "x");
                inOrder.add("k" + i + ":x");
            }
            pass(harness, 5_000);
            assertThat(parked(harness)).isEqualTo(200);
            harness.started().clear();
            harness.operator.host().onStart(handler -> {});
            jump(harness, 2 * DAY);

            assertThat(harness.operator.host().running()).hasSize(10);
            assertThat(harness.operator.engine().scheduler().inFlightCount())
                    .isLessThanOrEqualTo(20);
            harness.endAll();
            assertThat(harness.started()).containsExactlyElementsOf(inOrder);
            assertThat(harness.outputs()).hasSize(200);
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
            for (int i = 0; i < 5; i++) { // each stands between two mails of the engine
                look(harness, before, i);
            }
            harness.runMails();

            assertThat(before).hasSize(5).allMatch(count -> count < 3_000);
            assertThat(harness.outputs()).hasSize(3_005).contains("new4:x");
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

    @Test
    void isWaitedForAtTheEndOfTheInput() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER + 2_000);
            harness.operator.host().onStart(HarnessHandler::end);
            harness.operator.mailbox().execute(() -> harness.flink.setProcessingTime(DAY), "a day");
            harness.flink.endInput();

            assertThat(harness.outputs()).containsExactly("k:order");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void followsItsKeyWhenTheJobIsRescaled(Backend backend) throws Exception {
        OperatorSubtaskState one;
        try (DurableHarness harness = setup().backend(backend).open()) {
            harness.operator.host().onStart(handler -> handler.sleepUntil(0, DAY));
            for (int i = 0; i < 20; i++) {
                harness.send("k" + i, "x");
            }
            pass(harness, PARK_AFTER + 2_000);
            one = harness.toRescale(backend);
        }
        List<String> outputs = new ArrayList<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            DurableHarness.Setup half = setup().backend(backend).subtask(subtask, 2);
            try (DurableHarness harness = half.open(DurableHarness.part(one, 1, subtask, 2))) {
                harness.operator.host().onStart(HarnessHandler::end);
                jump(harness, DAY);
                assertThat(harness.outputs()).isNotEmpty();
                outputs.addAll(harness.outputs());
            }
        }
        assertThat(outputs).hasSize(20).doesNotHaveDuplicates();
    }

    @Test
    void goesOnAlsoInAJobThatParksNone() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            sleeping(harness, "k:order");
            pass(harness, PARK_AFTER + 2_000);
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            jump(harness, DAY);
            assertThat(harness.started()).containsExactly("k:order");
            pass(harness, DAY + 2 * PARK_AFTER);
            assertThat(parked(harness)).isZero();
        }
    }
}
