package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

/** What is in flight belongs to the version of the handler that accepted it. */
class HandlerVersionsTest {

    private static final long PARK_AFTER = 10_000;
    private static final long DAY = 86_400_000;

    private static DurableHarness.Setup setup(Backend backend) {
        return DurableHarness.setup().backend(backend).parksAfter(PARK_AFTER);
    }

    /** One awake with one behind it, and one parked with one behind it. */
    private static OperatorSubtaskState inFlight(DurableHarness.Setup setup) throws Exception {
        try (DurableHarness harness = setup.open()) {
            harness.send("parked", "1");
            harness.runMails();
            harness.operator.host().handler("parked:1").sleepUntil(0, DAY);
            for (long now = 0; now <= PARK_AFTER + 2_000; now += 1_000) {
                harness.flink.setProcessingTime(now);
                harness.runMails();
            }
            harness.send("parked", "2");
            assertThat(harness.operator.engine().parkedCount()).isOne();
            harness.send("awake", "1");
            harness.send("awake", "2");
            harness.runMails();
            harness.operator.host().handler("awake:1").call(0, "charge");
            return harness.snapshot();
        }
    }

    private static String versionOf(DurableHarness harness, String keyAndValue) {
        return harness.operator.host().handler(keyAndValue).handlerVersion();
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void whatIsInFlightIsHandledByTheVersionThatAcceptedIt(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = inFlight(setup(backend).versions("1"));

        try (DurableHarness harness = setup(backend).versions("2", "1").open(snapshot)) {
            harness.send("new", "1");
            harness.send("parked", "3");
            harness.runMails();
            harness.flink.setProcessingTime(DAY);
            harness.runMails();

            assertThat(versionOf(harness, "awake:1")).isEqualTo("1");
            assertThat(versionOf(harness, "parked:1")).isEqualTo("1");
            assertThat(versionOf(harness, "new:1")).isEqualTo("2");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup(backend).versions("3", "2", "1").open(snapshot)) {
            harness.runMails();
            assertThat(versionOf(harness, "awake:1")).isEqualTo("1");
            assertThat(versionOf(harness, "new:1")).isEqualTo("2");
            harness.end("awake:1");
            harness.end("parked:1");
            assertThat(versionOf(harness, "awake:2")).isEqualTo("1");
            harness.end("parked:2");
            assertThat(versionOf(harness, "parked:3")).isEqualTo("2");
            harness.end("new:1");
            harness.send("new", "2");
            harness.runMails();
            assertThat(versionOf(harness, "new:2")).isEqualTo("3");
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void aVersionThatNobodyNamesIsRefusedBeforeAHandlerRuns(Backend backend) throws Exception {
        OperatorSubtaskState snapshot = inFlight(setup(backend).versions("1"));

        assertThatThrownBy(() -> setup(backend).versions("2").open(snapshot))
                .hasStackTraceContaining(
                        "Of each, in this subtask: \"1\": 4. The job names \"2\". Nothing has run."
                                + " Give durable_process(..., previous={\"1\": <its handler>})");
        assertThatThrownBy(() -> setup(backend).open(snapshot))
                .hasStackTraceContaining("\"1\": 4. The job names None.");
        assertThatCode(() -> setup(backend).versions("2", "1").open(snapshot).close())
                .doesNotThrowAnyException();
    }

    @Test
    void whatAJobWithoutVersionsAcceptedIsOneToo() throws Exception {
        OperatorSubtaskState snapshot = inFlight(setup(Backend.HASHMAP));

        assertThatThrownBy(() -> setup(Backend.HASHMAP).versions("1").open(snapshot))
                .hasStackTraceContaining("None: 4. The job names \"1\".")
                .hasStackTraceContaining("previous={None: <its handler>}");
        String none = null;
        try (DurableHarness harness = setup(Backend.HASHMAP).versions("1", none).open(snapshot)) {
            harness.runMails();
            assertThat(versionOf(harness, "awake:1")).isNull();
        }
    }

    @Test
    void countsAreOfEachVersion() throws Exception {
        OperatorSubtaskState snapshot = inFlight(setup(Backend.HASHMAP).versions("1"));
        try (DurableHarness harness = setup(Backend.HASHMAP).versions("2", "1").open(snapshot)) {
            harness.runMails();
            harness.send("new", "1");
            snapshot = harness.snapshot();
        }
        OperatorSubtaskState both = snapshot;
        assertThatThrownBy(() -> setup(Backend.HASHMAP).versions("3").open(both))
                .hasStackTraceContaining("\"1\": 4, \"2\": 1. The job names \"3\".");
        assertThatThrownBy(() -> setup(Backend.HASHMAP).versions("2").open(both))
                .hasStackTraceContaining("\"1\": 4. The job names \"2\".");
    }

    @Test
    void aVersionWithNothingInFlightMayGo() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup(Backend.HASHMAP).versions("1").open()) {
            harness.send("a", "1");
            harness.runMails();
            harness.end("a:1");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = setup(Backend.HASHMAP).versions("2").open(snapshot)) {
            harness.send("a", "2");
            harness.runMails();
            assertThat(versionOf(harness, "a:2")).isEqualTo("2");
        }
    }

    /** The names are found by each of more subtasks, and by one that is left of two. */
    @Test
    void subtasksFindTheNamesAfterARescaling() throws Exception {
        OperatorSubtaskState snapshot = inFlight(setup(Backend.HASHMAP).versions("1"));
        int refused = 0;
        for (int subtask = 0; subtask < 3; subtask++) {
            OperatorSubtaskState part = DurableHarness.part(snapshot, 1, subtask, 3);
            DurableHarness.Setup three = setup(Backend.HASHMAP).subtask(subtask, 3).versions("2");
            boolean has =
                    DurableHarness.subtaskOf("awake", 3) == subtask
                            || DurableHarness.subtaskOf("parked", 3) == subtask;
            if (has) {
                refused++;
                assertThatThrownBy(() -> three.open(part)).hasStackTraceContaining("\"1\": ");
            } else {
                assertThatCode(() -> three.open(part).close()).doesNotThrowAnyException();
            }
        }
        assertThat(refused).isPositive();
    }
}
