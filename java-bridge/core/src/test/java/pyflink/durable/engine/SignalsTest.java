package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.state.Retention;

class SignalsTest {

    private static final long TTL = 10_000;

    private static DurableHarness.Setup setup() {
        return DurableHarness.setup().retention(new Retention(true, 0, 0).withSignals(TTL));
    }

    private static void signal(DurableHarness harness, String key, String content)
            throws Exception {
        harness.operator.setCurrentKey(Row.of(key));
        harness.operator.engine().acceptSignal(content.getBytes());
    }

    private static HarnessHandler waiting(DurableHarness harness, String keyAndValue)
            throws Exception {
        harness.runMails();
        HarnessHandler handler = harness.operator.host().handler(keyAndValue);
        handler.waitForSignal(0);
        return handler;
    }

    @Test
    void isKeptUntilAHandlerWaitsAndTakenInOrderOfArrival() throws Exception {
        try (DurableHarness harness = setup().open()) {
            signal(harness, "k", "approval first");
            signal(harness, "k", "other between");
            signal(harness, "k", "approval second");
            harness.send("k", "order");
            HarnessHandler handler = waiting(harness, "k:order");

            assertThat(handler.take(0, "approval")).isEqualTo("approval first");
            handler.waitForSignal(1);
            assertThat(handler.take(1, "approval")).isEqualTo("approval second");
            assertThat(harness.operator.bridge().takeSignal(handler.id(), "approval", "0"))
                    .isNull();
            assertThat(harness.count("signalsTaken")).isEqualTo(2);
        }
    }

    @Test
    void isKeptInTheFormThatTheHostGivesIt() throws Exception {
        try (DurableHarness harness = setup().open()) {
            signal(harness, "k", "sealed secret");
            harness.send("k", "order");

            assertThat(waiting(harness, "k:order").take(0, "sealed"))
                    .isEqualTo("sealed by the host");
        }
    }

    @Test
    void belongsToItsKey() throws Exception {
        try (DurableHarness harness = setup().open()) {
            signal(harness, "a", "approval yes");
            harness.send("b", "order");

            assertThat(waiting(harness, "b:order").take(0, "approval")).isNull();
        }
    }

    @Test
    void goesPastTheInputsOfItsKeyToTheHandlerThatWaits() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "first");
            harness.send("k", "second");
            HarnessHandler handler = waiting(harness, "k:first");
            signal(harness, "k", "approval yes");

            assertThat(harness.operator.host().takeSignalled()).containsExactly("k:first");
            assertThat(handler.take(0, "approval")).isEqualTo("approval yes");
        }
    }

    @Test
    void doesNotDisturbAHandlerThatWaitsForNone() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            harness.runMails();
            signal(harness, "k", "approval yes");

            assertThat(harness.operator.host().takeSignalled()).isEmpty();
        }
    }

    @Test
    void isForOneInvocationAloneIfItSaysSo() throws Exception {
        try (DurableHarness harness = setup().open()) {
            signal(harness, "k", "approval later - 1");
            harness.send("k", "first");
            harness.send("k", "second");

            assertThat(waiting(harness, "k:first").take(0, "approval")).isNull();
            harness.end("k:first");
            assertThat(waiting(harness, "k:second").take(0, "approval"))
                    .isEqualTo("approval later - 1");
        }
    }

    @Test
    void isDroppedIfItsIdHasComeBefore() throws Exception {
        try (DurableHarness harness = setup().open()) {
            signal(harness, "k", "approval yes id7");
            harness.send("k", "order");
            HarnessHandler handler = waiting(harness, "k:order");
            assertThat(handler.take(0, "approval")).isEqualTo("approval yes id7");
            signal(harness, "k", "approval again id7");
            handler.waitForSignal(1);

            assertThat(handler.take(1, "approval")).isNull();
            assertThat(harness.count("signalsRepeated")).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void isInTheStateUntilItsSlotIsInTheJournal(Backend backend) throws Exception {
        OperatorSubtaskState before;
        OperatorSubtaskState after;
        try (DurableHarness harness = setup().backend(backend).open()) {
            harness.send("k", "order");
            HarnessHandler handler = waiting(harness, "k:order");
            signal(harness, "k", "approval yes id7");
            before = harness.snapshot();
            handler.take(0, "approval");
            after = harness.snapshot();
        }
        try (DurableHarness harness = setup().backend(backend).open(before)) {
            harness.runMails();
            HarnessHandler handler = harness.operator.host().handler("k:order");
            assertThat(handler.journal()).containsExactly("SIGNAL approval PENDING due " + NEVER);
            assertThat(handler.take(0, "approval")).isEqualTo("approval yes id7");
        }
        try (DurableHarness harness = setup().backend(backend).open(after)) {
            harness.runMails();
            HarnessHandler handler = harness.operator.host().handler("k:order");
            assertThat(handler.journal())
                    .containsExactly("SIGNAL approval SUCCEEDED approval yes id7");
            handler.waitForSignal(1);
            assertThat(handler.take(1, "approval")).isNull();
            signal(harness, "k", "approval again id7");
            assertThat(handler.take(1, "approval")).isNull();
        }
    }

    private static final long NEVER = Long.MAX_VALUE;

    @ParameterizedTest
    @EnumSource(Backend.class)
    void goesToTheSideOutputWhenNobodyHasTakenItInTime(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().backend(backend).open()) {
            signal(harness, "k", "approval early");
            harness.flink.setProcessingTime(TTL / 2);
            signal(harness, "k", "approval late");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().backend(backend).open(snapshot)) {
            harness.flink.setProcessingTime(TTL);
            harness.runMails();
            assertThat(harness.outputs()).containsExactly("unclaimed approval early");
            harness.flink.setProcessingTime(2 * TTL);
            harness.runMails();
            assertThat(harness.outputs())
                    .containsExactly("unclaimed approval early", "unclaimed approval late");
            assertThat(harness.count("signalsUnclaimed")).isEqualTo(2);
        }
    }

    @Test
    void isTakenInTimeIsNotUnclaimed() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            signal(harness, "k", "approval yes");
            waiting(harness, "k:order").take(0, "approval");
            harness.flink.setProcessingTime(2 * TTL);
            harness.runMails();

            assertThat(harness.outputs()).isEmpty();
        }
    }

    @Test
    void ofWhichThousandsExpireLeavesRoomForOtherMails() throws Exception {
        try (DurableHarness harness = setup().open()) {
            for (int i = 0; i < 1_500; i++) {
                signal(harness, "k" + i, "approval " + i);
            }
            harness.flink.setProcessingTime(TTL);
            List<Integer> outputs = new ArrayList<>();
            harness.operator.mailbox().execute(() -> outputs.add(harness.outputs().size()), "look");
            harness.runMails();

            assertThat(outputs).containsExactly(512);
            assertThat(harness.outputs()).hasSize(1_500);
        }
    }

    @Test
    void isUnclaimedAtTheEndOfTheInput() throws Exception {
        try (DurableHarness harness = setup().open()) {
            signal(harness, "k", "approval yes");
            harness.flink.endInput();

            assertThat(harness.outputs()).containsExactly("unclaimed approval yes");
        }
    }

    @Test
    void goesToTheSideOutputAtOnceIfItsInvocationHasEnded() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "first");
            harness.send("k", "second");
            harness.runMails();
            harness.end("k:first");
            signal(harness, "k", "approval late - 0");
            signal(harness, "k", "approval yes - 1");

            assertThat(harness.outputs())
                    .containsExactly("k:first", "unclaimed approval late - 0: " + ENDED);
            assertThat(harness.count("signalsUnclaimed")).isEqualTo(1);
            assertThat(waiting(harness, "k:second").take(0, "approval"))
                    .isEqualTo("approval yes - 1");
        }
    }

    private static final String ENDED = "its invocation has ended";

    @ParameterizedTest
    @EnumSource(Backend.class)
    void knowsWhichInvocationsHaveEndedAfterAFailure(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().backend(backend).open()) {
            harness.send("idle", "order");
            harness.send("runs", "order");
            harness.send("runs", "order");
            harness.send("new", "order");
            harness.runMails();
            harness.end("idle:order");
            harness.end("runs:order");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().backend(backend).open(snapshot)) {
            signal(harness, "idle", "approval late - 0");
            signal(harness, "idle", "approval early - 1");
            signal(harness, "runs", "approval late - 0");
            signal(harness, "runs", "approval yes - 1");
            signal(harness, "new", "approval yes - 0");
            signal(harness, "never", "approval early - 0");

            assertThat(harness.outputs())
                    .containsExactly(
                            "unclaimed approval late - 0: " + ENDED,
                            "unclaimed approval late - 0: " + ENDED);
        }
    }

    @Test
    void isRefusedWithoutATraceOfItsIdIfItIsForged() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            HarnessHandler handler = waiting(harness, "k:order");
            signal(harness, "k", "forged yes id7");
            signal(harness, "k", "approval yes id7");

            assertThat(harness.outputs()).containsExactly("unclaimed forged yes id7: forged");
            assertThat(harness.operator.host().takeSignalled()).containsExactly("k:order");
            assertThat(handler.take(0, "approval")).isEqualTo("approval yes id7");
        }
    }

    @Test
    void comesToAHandlerThatWaitsForNoneIfItCancelsIt() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            harness.runMails();
            signal(harness, "k", Signals.CANCEL + " why - 0");

            assertThat(harness.operator.host().takeSignalled()).containsExactly("k:order");
        }
    }

    @Test
    void isPassedOverIfTheLogHoldsItAsTakenAndItComesAgain() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            harness.runMails();
            signal(harness, "k", "approval before");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup().open(snapshot)) {
            harness.runMails();
            HarnessHandler handler = harness.operator.host().handler("k:order");
            harness.operator.bridge().signalTaken(handler.id(), 0, null);
            harness.operator.bridge().signalTaken(handler.id(), 1, null);
            signal(harness, "k", "approval behind");
            signal(harness, "k", "approval new");
            handler.waitForSignal(0);

            assertThat(handler.take(0, "approval")).isEqualTo("approval new");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void followsItsKeyWhenTheJobIsRescaled(Backend backend) throws Exception {
        OperatorSubtaskState one;
        try (DurableHarness harness = setup().backend(backend).open()) {
            for (int i = 0; i < 20; i++) {
                signal(harness, "k" + i, "approval " + i);
            }
            one = harness.toRescale(backend);
        }
        List<String> unclaimed = new ArrayList<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            DurableHarness.Setup half = setup().backend(backend).subtask(subtask, 2);
            try (DurableHarness harness = half.open(DurableHarness.part(one, 1, subtask, 2))) {
                harness.flink.setProcessingTime(TTL);
                harness.runMails();
                assertThat(harness.outputs()).isNotEmpty();
                unclaimed.addAll(harness.outputs());
            }
        }
        assertThat(unclaimed).hasSize(20).doesNotHaveDuplicates();
    }

    @Test
    void isWhatAWaitIsCalledInTheLog() throws Exception {
        try (DurableHarness harness = setup().open()) {
            harness.send("k", "order");
            waiting(harness, "k:order");

            assertThat(
                            Waits.of(
                                            harness.operator.engine().scheduler(),
                                            new Gate<>(harness.operator.engine().scheduler()),
                                            0)
                                    .toString())
                    .isEqualTo("waits for a signal: 1");
        }
    }

    @Test
    void cannotBeTakenWithoutAnInputOfSignals() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("k", "order");
            harness.runMails();
            long id = harness.operator.host().handler("k:order").id();

            assertThatThrownBy(() -> harness.operator.bridge().takeSignal(id, "approval", "0"))
                    .hasMessageContaining("no input of signals");
        }
    }
}
