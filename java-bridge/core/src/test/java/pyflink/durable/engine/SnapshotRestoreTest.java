package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.operator.BackendSetups.on;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.operator.DurableHarness.KeyKind;
import pyflink.durable.state.InFlightState;
import pyflink.durable.state.Retention;

/** What a restored operator knows and does, after a snapshot with calls in flight. */
@Timeout(60)
class SnapshotRestoreTest {

    @ParameterizedTest(name = "{0}, {1} keys")
    @MethodSource("pyflink.durable.operator.BackendSetups#backendsAndKeys")
    void theJournalOfEachRunningInvocationIsRestored(Backend backend, KeyKind kind)
            throws Exception {
        Object a = DurableHarness.key(kind, 1);
        Object b = DurableHarness.key(kind, 2);
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.keyedBy(kind).backend(backend).open()) {
            harness.send(a, "1", 42);
            harness.send(b, "1");
            HarnessHandler handler = harness.operator.host().handler(a + ":1");
            handler.call(0, "charge");
            handler.call(1, "notify");
            handler.call(2, "ship");
            handler.succeed(0, "charge", "receipt");
            handler.fail(2, "ship", "no stock");
            snapshot = harness.snapshot();
            handler.succeed(1, "notify", "made after the snapshot");
        }
        try (DurableHarness harness =
                DurableHarness.keyedBy(kind).backend(backend).open(snapshot)) {
            assertThat(harness.started()).as("restored handlers start in a mail").isEmpty();
            harness.runMails();

            assertThat(harness.started()).containsExactlyInAnyOrder(a + ":1", b + ":1");
            HarnessHandler handler = harness.operator.host().handler(a + ":1");
            assertThat(handler.journal())
                    .containsExactly(
                            "charge SUCCEEDED receipt", "notify PENDING", "ship FAILED no stock");
            assertThat(handler.restoredSlots()).isEqualTo(3);
            assertThat(handler.timestamp()).isEqualTo(42);
            assertThat(handler.sequence()).isZero();
            HarnessHandler other = harness.operator.host().handler(b + ":1");
            assertThat(other.journal()).isEmpty();
            assertThat(other.timestamp()).isNull();

            harness.endAll();
            assertThat(harness.outputs()).containsExactlyInAnyOrder(a + ":1", b + ":1");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void restoredInvocationsStartBeforeNewInputsOfTheirKey(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = inFlight(backend, "a:1", "a:2", "b:1");
        try (DurableHarness harness = on(backend).open(snapshot)) {
            harness.send("a", "3"); // comes before the mail that restores

            assertThat(harness.started()).containsExactlyInAnyOrder("a:1", "b:1");
            harness.endAll();
            assertThat(harness.outputs())
                    .containsSubsequence("a:1", "a:2", "a:3")
                    .containsExactlyInAnyOrder("a:1", "a:2", "a:3", "b:1");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aNewInputBeforeTheRestoreKeepsItsOwnKey(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = inFlight(backend, "a:1", "b:1", "c:1");
        try (DurableHarness harness = on(backend).open(snapshot)) {
            harness.send("z", "1");
            assertThat(harness.started()).contains("z:1");
            assertThat(harness.operator.host().handler("z:1").sequence()).isZero();
            assertThat(harness.operator.host().handler("a:1").sequence()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void inputsOfAKeyAreRestoredInTheirOrder(Backend backend) throws Exception {
        String[] inputs = new String[300]; // more than one byte of a sequence number
        for (int i = 0; i < inputs.length; i++) {
            inputs[i] = "a:" + i;
        }
        OperatorSubtaskState snapshot = inFlight(backend, inputs);
        try (DurableHarness harness = on(backend).open(snapshot)) {
            harness.operator.host().onStart(HarnessHandler::end);
            harness.runMails();
            assertThat(harness.outputs()).containsExactly(inputs);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatEndedBeforeTheSnapshotIsNotRunAgain(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = on(backend).open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("b", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.snapshot();
            harness.end("a:1");
            harness.end("b:1");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = on(backend).open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).containsExactly("a:2");
            assertThat(harness.operator.host().handler("a:2").journal()).isEmpty();
            assertThat(harness.operator.host().handler("a:2").sequence()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aSnapshotBeforeTheRestoredHandlersHaveStartedLosesNothing(Backend backend)
            throws Exception {
        OperatorSubtaskState first;
        try (DurableHarness harness = on(backend).open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            harness.operator.host().handler("a:1").call(0, "f");
            first = harness.snapshot();
        }
        OperatorSubtaskState second;
        try (DurableHarness harness = on(backend).open(first)) {
            second = harness.snapshot();
        }
        try (DurableHarness harness = on(backend).open(second)) {
            harness.runMails();
            assertThat(harness.operator.host().handler("a:1").journal())
                    .containsExactly("f PENDING");
            harness.endAll();
            assertThat(harness.outputs()).containsExactly("a:1", "a:2");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aSecondFailureFindsWhatHappenedAfterTheFirst(Backend backend) throws Exception {
        OperatorSubtaskState first;
        try (DurableHarness harness = on(backend).open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            first = harness.snapshot();
        }
        OperatorSubtaskState second;
        try (DurableHarness harness = on(backend).open(first)) {
            harness.runMails();
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.succeed(0, "f", "reconciled");
            handler.call(1, "g");
            second = harness.snapshot();
        }
        try (DurableHarness harness = on(backend).open(second)) {
            harness.runMails();
            assertThat(harness.operator.host().handler("a:1").journal())
                    .containsExactly("f SUCCEEDED reconciled", "g PENDING");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void restoredInvocationsKeepToMaxInFlight(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = inFlight(backend, "a:1", "b:1", "c:1", "d:1");
        try (DurableHarness harness = on(backend).limits(2, 1).open(snapshot)) {
            harness.runMails();
            assertThat(harness.operator.host().running()).hasSize(2);
            harness.endAll();
            assertThat(harness.outputs()).hasSize(4);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aSnapshotDuringTheWaitForRoomHoldsTheElementBeingAccepted(Backend backend)
            throws Exception {
        List<OperatorSubtaskState> taken = new ArrayList<>();
        try (DurableHarness harness = on(backend).limits(1, 1).open()) {
            harness.runMails();
            harness.send("a", "1");
            harness.operator
                    .mailbox()
                    .execute(
                            () -> {
                                taken.add(harness.snapshot());
                                harness.operator.host().handler("a:1").end();
                            },
                            "checkpoint");
            harness.send("b", "1"); // waits; the mail above runs meanwhile
            assertThat(harness.outputs()).containsExactly("a:1");
        }
        try (DurableHarness harness = on(backend).open(taken.get(0))) {
            harness.endAll();
            assertThat(harness.outputs()).containsExactlyInAnyOrder("a:1", "b:1");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aSnapshotLeavesTheSelectedKeyAsItWas(Backend backend) throws Exception {
        try (DurableHarness harness = on(backend).open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.send("c", "1");
            harness.operator.setCurrentKey(Row.of("b"));

            harness.snapshot();

            assertThat(harness.operator.getCurrentKey()).isEqualTo(Row.of("b"));
        }
    }

    @Test
    void aJournalWithAHoleStopsTheRestore() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.operator.host().handler("a:1").call(1, "g");
            harness.snapshot();
            // as a damaged state would look
            InFlightState<Row, Row> state =
                    new InFlightState<>(
                            harness.operator.getKeyedStateBackend(),
                            harness.operator.getRuntimeContext(),
                            harness.inputForm(),
                            new Retention(true, 0, 0),
                            null);
            state.selectKey(Row.of("a"));
            state.remove(0);
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            assertThatThrownBy(harness::runMails)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("slots missing: it holds [1]");
        }
    }

    private static OperatorSubtaskState inFlight(Backend backend, String... inputs)
            throws Exception {
        try (DurableHarness harness = on(backend).open()) {
            for (String input : inputs) {
                String[] keyAndValue = input.split(":");
                harness.send(keyAndValue[0], keyAndValue[1]);
            }
            return harness.snapshot();
        }
    }
}
