package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** What of the invocations a snapshot writes to the keyed state, and what it removes. */
@Timeout(60)
class SnapshotWritesTest {

    @Test
    void callsOfTheStepThatStartsAHandlerAreInTheNextSnapshot() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                handler.callInStep(0, "f");
                                handler.callInStep(1, "g");
                            });
            harness.send("a", "1");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            assertThat(harness.operator.host().handler("a:1").journal())
                    .containsExactly("f PENDING", "g PENDING");
        }
    }

    @Test
    void whatStartsAndEndsBetweenTwoSnapshotsLeavesOnlyTheSequenceOfItsKey() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.operator.accesses().take();
            for (int i = 0; i < 10; i++) {
                harness.send("a", "" + i);
                HarnessHandler handler = harness.operator.host().running().get(0);
                handler.call(0, "f");
                handler.succeed(0, "f", "r");
                handler.end();
                harness.runMails();
            }
            assertThat(harness.operator.accesses().take())
                    .as("before the snapshot: one look at the sequence of a new key")
                    .isEqualTo(Map.of("durable-sequence.value", 1));
            assertThat(harness.stateEntries()).isZero();

            harness.snapshot();

            assertThat(harness.operator.accesses().take())
                    .isEqualTo(Map.of("durable-sequence.update", 1));
            assertThat(harness.stateEntries()).isEqualTo(1);
        }
    }

    @Test
    void aSnapshotForgetsTheKeysThatAreIdle() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.operator.host().onStart(HarnessHandler::end);
            harness.send("a", "1");
            harness.snapshot();
            harness.operator.accesses().take();

            harness.send("a", "2");

            assertThat(harness.operator.accesses().take())
                    .as("the sequence is looked up again, so it was not kept in memory")
                    .isEqualTo(Map.of("durable-sequence.value", 1));
        }
    }

    @Test
    void aSnapshotWritesInputsAndCallsThatAreInFlight() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.send("a", "1");
            harness.send("a", "2");
            harness.send("b", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.operator.host().handler("a:1").call(1, "g");
            harness.operator.accesses().take();

            harness.snapshot();

            assertThat(harness.operator.accesses().take())
                    .isEqualTo(
                            Map.of(
                                    "durable-inputs.put", 3,
                                    "durable-journal.put", 2,
                                    "durable-sequence.update", 2));
        }
    }

    @Test
    void aSnapshotWritesNothingThatTheLastOneHolds() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.operator.host().handler("b:1").call(0, "f");
            harness.snapshot();
            harness.operator.accesses().take();

            harness.snapshot();
            assertThat(harness.operator.accesses().take()).isEmpty();

            harness.operator.host().handler("a:1").succeed(0, "f", "r");
            harness.snapshot();
            assertThat(harness.operator.accesses().take())
                    .isEqualTo(Map.of("durable-journal.put", 1));

            harness.send("b", "2");
            harness.snapshot();
            assertThat(harness.operator.accesses().take())
                    .isEqualTo(Map.of("durable-inputs.put", 1, "durable-sequence.update", 1));
        }
    }

    @Test
    void afterTheEndTheSavedInputAndSlotsGoWithTheNextSnapshot() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.send("a", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.operator.host().handler("a:1").call(1, "g");
            harness.snapshot();
            harness.operator.accesses().take();

            harness.end("a:1");
            assertThat(harness.operator.accesses().take()).isEmpty();

            harness.snapshot();
            assertThat(harness.operator.accesses().take())
                    .isEqualTo(
                            Map.of(
                                    "durable-inputs.remove", 1,
                                    "durable-journal.remove", 2));
            assertThat(harness.stateEntries()).as("the sequence stays").isEqualTo(1);
        }
    }

    @Test
    void theJournalOfTheNextInputTakesThePlaceOfTheFinishedOne() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.send("a", "1");
            harness.send("a", "2");
            for (int slot = 0; slot < 3; slot++) {
                harness.operator.host().handler("a:1").call(slot, "f" + slot);
            }
            harness.snapshot();
            harness.end("a:1");
            harness.operator.host().handler("a:2").call(0, "g");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).containsExactly("a:2");
            assertThat(harness.operator.host().handler("a:2").journal())
                    .containsExactly("g PENDING");
        }
    }

    @Test
    void slotsDroppedAfterASnapshotAreGoneFromTheNext() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.runMails();
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            for (int slot = 0; slot < 3; slot++) {
                handler.call(slot, "f" + slot);
            }
            harness.snapshot();
            handler.clearFrom(1);
            handler.call(1, "g");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            assertThat(harness.operator.host().handler("a:1").journal())
                    .containsExactly("f0 PENDING", "g PENDING");
        }
    }

    @Test
    void slotsDroppedByARestoredInvocationThatThenEndsAreGoneToo() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").call(0, "f");
            harness.operator.host().handler("a:1").call(1, "g");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = DurableHarness.setup().open(snapshot)) {
            harness.runMails();
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.clearFrom(0);
            handler.call(0, "h");
            handler.end();
            harness.runMails();
            harness.snapshot();
            assertThat(harness.stateEntries()).as("the sequence alone").isEqualTo(1);
        }
    }
}
