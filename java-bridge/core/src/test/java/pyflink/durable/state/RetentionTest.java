package pyflink.durable.state;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.operator.BackendSetups.on;

import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.VoidNamespace;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

/** What of a key is kept behind the end of its invocations, and for how long. */
@Timeout(60)
class RetentionTest {

    private static final Retention FOR_EVER = new Retention(true, 0, 0);
    private static final Retention WITH_IDS = new Retention(false, 0, 0);
    private static final Retention FOR_A_SECOND = new Retention(true, 1_000, 1_000);

    // ------------------------------------------------------------------ ids in place of numbers

    @Test
    void invocationsWithIdsLeaveNothingBehind() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().retention(WITH_IDS).open()) {
            harness.operator.host().onStart(HarnessHandler::end);
            harness.send("a", "1");
            harness.send("b", "1");
            harness.snapshot();

            assertThat(harness.stateEntries()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void inputsWithIdsKeepTheirOrder(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = leave(backend, FOR_EVER, null, "a:1", "a:2");
        snapshot = leave(backend, WITH_IDS, snapshot, "a:3");
        snapshot = leave(backend, WITH_IDS, snapshot, "a:4");
        try (DurableHarness harness = on(backend).retention(WITH_IDS).open(snapshot)) {
            harness.send("a", "5");
            harness.endAll();

            assertThat(harness.started()).containsExactly("a:1", "a:2", "a:3", "a:4", "a:5");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aNumberIsNeverGivenTwiceAroundATimeWithIds(Backend backend) throws Exception {
        List<Long> numbers = new ArrayList<>();
        OperatorSubtaskState snapshot = run(backend, FOR_EVER, null, numbers, "a:1", "a:2");
        snapshot = run(backend, WITH_IDS, snapshot, new ArrayList<>(), "a:3");
        snapshot = leave(backend, WITH_IDS, snapshot, "a:4", "a:5");
        for (int attempt = 0; attempt < 2; attempt++) {
            List<Long> ofAttempt = new ArrayList<>();
            run(backend, FOR_EVER, snapshot, ofAttempt, "a:6");
            assertThat(ofAttempt).as("of a:4, a:5 and a:6").containsExactly(2L, 3L, 4L);
        }
        snapshot = run(backend, FOR_EVER, snapshot, numbers, "a:6");
        snapshot = leave(backend, WITH_IDS, snapshot, "a:7");
        run(backend, FOR_EVER, snapshot, numbers, "a:8");

        assertThat(numbers).containsExactly(0L, 1L, 2L, 3L, 4L, 5L, 6L);
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void anInputWithANewNumberIsWrittenByItAlone(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = leave(backend, WITH_IDS, null, "a:1", "a:2");
        try (DurableHarness harness = on(backend).open(snapshot)) {
            harness.runMails();
            harness.end("a:1");
            snapshot = harness.snapshot();
        }
        List<Long> numbers = new ArrayList<>();
        snapshot = run(backend, FOR_EVER, snapshot, numbers);
        run(backend, FOR_EVER, snapshot, numbers, "a:3");

        assertThat(numbers).as("of a:2 and a:3").containsExactly(1L, 2L);
    }

    // ------------------------------------------------------------------ a time to live

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aNumberGoesWhenItsKeyHasBeenIdle(Backend backend) throws Exception {
        List<Long> numbers = new ArrayList<>();
        try (DurableHarness harness = on(backend).retention(FOR_A_SECOND).open()) {
            harness.operator.host().onStart(handler -> endWith(handler, numbers));
            sendAt(harness, 0, "1");
            sendAt(harness, 600, "2");
            sendAt(harness, 1_200, "3"); // a second behind the last input, not behind the first
            sendAt(harness, 2_201, "4");
        }
        assertThat(numbers).containsExactly(0L, 1L, 2L, 0L);
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void numbersGoOnBehindInputsThatOutliveThem(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = leave(backend, FOR_A_SECOND, null, "a:1", "a:2");
        try (DurableHarness harness = on(backend).retention(FOR_A_SECOND).open(snapshot)) {
            harness.flink.setStateTtlProcessingTime(10_000);
            harness.send("a", "3");
            harness.runMails();
            harness.end("a:1");
            harness.end("a:2");

            assertThat(harness.operator.host().handler("a:3").sequence()).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aValueGoesThatIsNeitherReadNorWritten(Backend backend) throws Exception {
        try (DurableHarness harness = on(backend).retention(FOR_A_SECOND).open()) {
            putAll(harness, "read", "written", "left");
            harness.flink.setStateTtlProcessingTime(600);
            HarnessHandler handler = begin(harness, "2");
            harness.operator.bridge().getState(handler.id(), "read");
            handler.putState("written", "again");
            harness.end("a:2");
            harness.flink.setStateTtlProcessingTime(1_200);
            handler = begin(harness, "3");

            assertThat(harness.operator.bridge().getState(handler.id(), "left")).isNull();
            assertThat(harness.operator.bridge().getStateNames(handler.id()))
                    .containsExactly("read", "written");
        }
    }

    // ------------------------------------------------------------------ turned on and off

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatWasKeptForEverHasItsTimeFromTheRestoreOn(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = keepValue(backend, FOR_EVER);
        try (DurableHarness harness = on(backend).retention(FOR_A_SECOND).open(snapshot)) {
            harness.flink.setStateTtlProcessingTime(5_000);
            harness.runMails();
            harness.flink.setStateTtlProcessingTime(5_600);
            HarnessHandler handler = begin(harness, "2");
            assertThat(handler.sequence()).isEqualTo(1);
            assertThat(harness.operator.bridge().getState(handler.id(), "total"))
                    .isEqualTo("10".getBytes());
            harness.end("a:2");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = on(backend).retention(FOR_A_SECOND).open(snapshot)) {
            harness.flink.setStateTtlProcessingTime(7_000);
            HarnessHandler handler = begin(harness, "3");
            assertThat(handler.sequence()).isZero();
            assertThat(harness.operator.bridge().getStateNames(handler.id())).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatWasKeptForATimeIsKeptForEver(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = keepValue(backend, FOR_A_SECOND);
        for (int restore = 0; restore < 2; restore++) {
            try (DurableHarness harness = on(backend).retention(FOR_EVER).open(snapshot)) {
                harness.flink.setStateTtlProcessingTime(100_000);
                HarnessHandler handler = begin(harness, "2");
                assertThat(handler.sequence()).isEqualTo(1 + restore);
                assertThat(harness.operator.bridge().getState(handler.id(), "total"))
                        .isEqualTo("10".getBytes());
                harness.end("a:2");
                snapshot = harness.snapshot();
            }
        }
    }

    @Test
    void whatIsMovedIsGoneFromItsOldPlace() throws Exception {
        OperatorSubtaskState snapshot = keepValue(Backend.HASHMAP, FOR_EVER);
        try (DurableHarness harness = on(Backend.HASHMAP).retention(FOR_A_SECOND).open(snapshot)) {
            assertThat(harness.stateEntries()).isEqualTo(2);
            harness.runMails();
            assertThat(harness.stateEntries()).isEqualTo(2);
            assertThat(
                            harness.operator
                                    .getKeyedStateBackend()
                                    .getKeys(Sequences.NAME, VoidNamespace.INSTANCE))
                    .isEmpty();
        }
    }

    // ------------------------------------------------------------------ fixture

    /** One invocation that leaves {@code total}, and the number of its key. */
    private static OperatorSubtaskState keepValue(Backend backend, Retention retention)
            throws Exception {
        try (DurableHarness harness = on(backend).retention(retention).open()) {
            HarnessHandler handler = begin(harness, "1");
            handler.putState("total", "10");
            harness.end("a:1");
            return harness.snapshot();
        }
    }

    private static void putAll(DurableHarness harness, String... names) throws Exception {
        HarnessHandler handler = begin(harness, "1");
        for (String name : names) {
            handler.putState(name, "1");
        }
        harness.end("a:1");
    }

    private static HarnessHandler begin(DurableHarness harness, String value) throws Exception {
        harness.send("a", value);
        harness.runMails();
        return harness.operator.host().handler("a:" + value);
    }

    /** An input that ends at once, and a snapshot, which forgets the key's number in memory. */
    private static void sendAt(DurableHarness harness, long time, String value) throws Exception {
        harness.flink.setStateTtlProcessingTime(time);
        harness.send("a", value);
        harness.runMails();
        harness.snapshot();
    }

    private static void endWith(HarnessHandler handler, List<Long> numbers) {
        numbers.add(handler.sequence());
        handler.end();
    }

    /** Restores, takes inputs in and leaves them in flight. */
    private static OperatorSubtaskState leave(
            Backend backend,
            Retention retention,
            @Nullable OperatorSubtaskState snapshot,
            String... inputs)
            throws Exception {
        try (DurableHarness harness = on(backend).retention(retention).open(snapshot)) {
            send(harness, inputs);
            return harness.snapshot();
        }
    }

    /** Restores, takes inputs in and ends all that is in flight. */
    private static OperatorSubtaskState run(
            Backend backend,
            Retention retention,
            @Nullable OperatorSubtaskState snapshot,
            List<Long> numbers,
            String... inputs)
            throws Exception {
        try (DurableHarness harness = on(backend).retention(retention).open(snapshot)) {
            harness.operator.host().onStart(handler -> endWith(handler, numbers));
            send(harness, inputs);
            harness.runMails();
            return harness.snapshot();
        }
    }

    private static void send(DurableHarness harness, String... inputs) throws Exception {
        for (String input : inputs) {
            String[] keyAndValue = input.split(":");
            harness.send(keyAndValue[0], keyAndValue[1]);
        }
    }
}
