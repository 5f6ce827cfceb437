package pyflink.durable.engine;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.state.Input;
import pyflink.durable.state.InputSeals;
import pyflink.durable.state.Retention;

/** Inputs that stand in the state as payloads. */
@Timeout(60)
class SealedInputsTest {

    private static final long DAY = 86_400_000;

    /** Its payloads say where they belong. */
    private static final class Marking implements InputSeals<Row> {
        private int sealed;
        private int opened;
        private int open;

        @Override
        public Input<Row> seal(Input<Row> input) {
            sealed++;
            Row row = input.value();
            String text = input.sequence() + "|" + row.getField(0) + "|" + row.getField(1);
            return input.sealedAs(text.getBytes(UTF_8));
        }

        @Override
        public Input<Row> open(Input<Row> stored) {
            if (stored.sealed() == null) {
                open++;
                return stored;
            }
            assertThat(stored.value()).isNull();
            opened++;
            String[] parts = new String(stored.sealed(), UTF_8).split("\\|");
            assertThat(parts[0]).as("it belongs there").isEqualTo("" + stored.sequence());
            return stored.openedAs(Row.of(parts[1], parts[2]));
        }
    }

    private static DurableHarness.Setup with(Marking seals) {
        return DurableHarness.setup().seals(seals);
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatRunsAndWhatWaitsIsSealedInASnapshotAndOpenedByARestore(Backend backend)
            throws Exception {
        Marking before = new Marking();
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = with(before).backend(backend).open()) {
            harness.send("a", "1", 42);
            harness.send("a", "2");
            harness.send("b", "1");
            harness.send("c", "gone");
            harness.end("c:gone");
            assertThat(before.sealed).as("nothing before a snapshot").isZero();
            harness.snapshot();
            snapshot = harness.snapshot();
            assertThat(before.sealed).as("once, and not what has ended").isEqualTo(3);
            assertThat(before.opened).isZero();
        }
        Marking after = new Marking();
        try (DurableHarness harness = with(after).backend(backend).open(snapshot)) {
            harness.runMails();
            assertThat(harness.started()).containsExactlyInAnyOrder("a:1", "b:1");
            assertThat(harness.operator.host().handler("a:1").timestamp()).isEqualTo(42);
            harness.endAll();
            assertThat(harness.outputs()).containsExactlyInAnyOrder("a:1", "a:2", "b:1");
            assertThat(after.opened).isEqualTo(3);
            assertThat(after.open).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatIsParkedIsSealedWithAllThatComesBehind(Backend backend) throws Exception {
        Marking before = new Marking();
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = with(before).parksAfter(1_000).backend(backend).open()) {
            harness.send("k", "1");
            harness.runMails();
            harness.operator.host().handler("k:1").sleepUntil(0, DAY);
            for (long now = 0; now <= 5_000; now += 500) {
                harness.flink.setProcessingTime(now);
                harness.runMails();
            }
            assertThat(harness.operator.engine().parkedCount()).isOne();
            harness.send("k", "2");
            assertThat(before.sealed).isEqualTo(2);
            snapshot = harness.snapshot();
        }
        Marking after = new Marking();
        try (DurableHarness harness =
                with(after).parksAfter(1_000).backend(backend).open(snapshot)) {
            harness.runMails();
            assertThat(after.opened).as("a restore reads nothing that is parked").isZero();
            harness.flink.setProcessingTime(DAY);
            harness.runMails();
            harness.endAll();
            assertThat(harness.outputs()).containsExactly("k:1", "k:2");
            assertThat(after.opened).isEqualTo(2);
        }
    }

    @Test
    void stateOfAnOperatorThatDidNotSealIsReadAndRewrittenAsItIsTouched() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            snapshot = harness.snapshot();
        }
        Marking seals = new Marking();
        try (DurableHarness harness = with(seals).open(snapshot)) {
            harness.runMails();
            harness.send("a", "2");
            snapshot = harness.snapshot();
            assertThat(seals.open).isOne();
            assertThat(seals.sealed).isOne();
        }
        Marking after = new Marking();
        try (DurableHarness harness = with(after).open(snapshot)) {
            harness.endAll();
            assertThat(harness.outputs()).containsExactly("a:1", "a:2");
            assertThat(after.open).isOne();
            assertThat(after.opened).isOne();
        }
    }

    /** Its number says where a payload belongs. */
    @Test
    void anInputThatGetsAnotherNumberIsSealedForThat() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness =
                with(new Marking()).retention(new Retention(false, 0, 0)).open()) {
            harness.send("a", "1");
            snapshot = harness.snapshot();
        }
        for (int attempt = 0; attempt < 2; attempt++) {
            try (DurableHarness harness = with(new Marking()).open(snapshot)) {
                harness.runMails();
                assertThat(harness.started()).containsExactly("a:1");
                snapshot = harness.snapshot();
            }
        }
    }

    @Test
    void onePayloadThatIsRefusedFailsTheTask() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = with(new Marking()).open()) {
            harness.send("a", "1");
            snapshot = harness.snapshot();
        }
        InputSeals<Row> refuses =
                new InputSeals<>() {
                    @Override
                    public Input<Row> seal(Input<Row> input) {
                        return input;
                    }

                    @Override
                    public Input<Row> open(Input<Row> stored) {
                        throw new IllegalStateException("PayloadRefused: no key a");
                    }
                };
        try (DurableHarness harness = DurableHarness.setup().seals(refuses).open(snapshot)) {
            assertThatThrownBy(harness::runMails).hasMessageContaining("no key a");
            assertThat(harness.started()).isEmpty();
        }
    }
}
