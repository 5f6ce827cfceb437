package pyflink.durable.operator;

import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.FinishedOperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.RoundRobinOperatorStateRepartitioner;
import org.apache.flink.runtime.checkpoint.StateAssignmentOperation;
import org.apache.flink.runtime.checkpoint.StateObjectCollection;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.jobgraph.OperatorInstanceID;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.OperatorStateHandle.StateMetaInfo;
import org.junit.jupiter.api.Test;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.RestoredCheckpoint;

/** What an attempt learns from its state before it opens the call log, and what it writes there. */
class CallLogOpeningTest {

    private static final Path SAVEPOINT_OF_01 =
            Path.of("../../tests/minicluster/savepoints/0.1.0/canonical/_metadata");

    /** Of the savepoint, as the names of the files in its log tell. */
    private static final String JOB_OF_01 = "c30ffcf378076c2eb8cea548391569e6";

    private final MemoryCallLog log = new MemoryCallLog();

    private DurableHarness.Setup setup() {
        return DurableHarness.setup().callLog(log);
    }

    @Test
    void theNextAttemptKnowsWhoTookItsCheckpointAndWithWhichLog() throws Exception {
        OperatorSubtaskState snapshot;
        String job;
        try (DurableHarness harness = setup().open()) {
            assertThat(context().restored()).isEmpty();
            assertThat(context().firstEpoch()).isZero();
            job = harness.flink.getEnvironment().getJobID().toHexString();
            snapshot = harness.snapshot();
        }
        try (DurableHarness next = setup().open(snapshot, 17)) {
            assertThat(context().restored()).contains(new RestoredCheckpoint(job, 17));
            assertThat(next.snapshot()).isNotNull();
        }
    }

    @Test
    void aCheckpointThatWasTakenWithoutALogSaysSo() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            snapshot = harness.snapshot();
        }
        setup().open(snapshot, 3).close();
        assertThat(context().restored())
                .contains(new RestoredCheckpoint(RestoredCheckpoint.NO_LOG, 3));
    }

    @Test
    void anotherLogIsRefusedUnlessItIsGivenInsteadOfTheFirst() throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = setup().open()) {
            snapshot = harness.snapshot();
        }
        MemoryCallLog other = new MemoryCallLog();
        String first = log.settings().get("name");
        assertThatThrownBy(() -> DurableHarness.setup().callLog(other).open(snapshot, 5))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("goes with the call log " + first)
                .hasMessageContaining("instead_of=\"" + first + "\"");
        assertThatThrownBy(() -> insteadOf("a third", other).open(snapshot, 5))
                .hasMessageContaining("instead_of=\"" + first + "\"");

        OperatorSubtaskState after;
        try (DurableHarness harness = insteadOf(first, other).open(snapshot, 5)) {
            after = harness.snapshot();
        }
        insteadOf(first, other).open(after, 6).close(); // it may stay in the settings
        assertThatThrownBy(() -> insteadOf(first, log).open(after, 6))
                .hasMessageContaining("instead_of=\"" + other.settings().get("name") + "\"");
    }

    private static DurableHarness.Setup insteadOf(String id, MemoryCallLog log) {
        Map<String, String> settings = new HashMap<>(log.settings());
        settings.put("instead.of", id);
        return DurableHarness.setup().callLog(settings);
    }

    // ------------------------------------------------------------------ subtasks that have
    // finished

    @Test
    void noStateIsOneWithWhichFlinkTakesNoCheckpointOnceASubtaskHasFinished() throws Exception {
        try (DurableHarness harness = setup().open()) {
            assertThat(modes(harness.snapshot())).containsOnly(OperatorStateHandle.Mode.BROADCAST);
        }
    }

    @Test
    void aSubtaskThatHadFinishedLearnsTheSameAsTheOthers() throws Exception {
        OperatorSubtaskState running;
        String job;
        try (DurableHarness harness = setup().subtask(1, 2).open()) {
            job = harness.flink.getEnvironment().getJobID().toHexString();
            running = harness.snapshot();
        }
        for (int parallelism = 1; parallelism <= 3; parallelism++) {
            List<OperatorSubtaskState> restored =
                    assign(parallelism, FinishedOperatorSubtaskState.INSTANCE, running);
            for (int subtask = 0; subtask < parallelism; subtask++) {
                setup().subtask(subtask, parallelism).open(restored.get(subtask), 9).close();
                assertThat(context().restored()).contains(new RestoredCheckpoint(job, 9));
            }
        }
    }

    /** As the JobManager gives the operator state of two subtasks to their successors. */
    private static List<OperatorSubtaskState> assign(
            int parallelism, OperatorSubtaskState... subtasks) {
        OperatorID operator = new OperatorID();
        OperatorState all =
                new OperatorState(
                        null, null, operator, subtasks.length, DurableHarness.MAX_PARALLELISM);
        for (int i = 0; i < subtasks.length; i++) {
            all.putState(i, subtasks[i]);
        }
        Map<OperatorInstanceID, List<OperatorStateHandle>> assigned = new HashMap<>();
        StateAssignmentOperation.reDistributePartitionableStates(
                Map.of(operator, all),
                parallelism,
                OperatorSubtaskState::getManagedOperatorState,
                RoundRobinOperatorStateRepartitioner.INSTANCE,
                assigned);
        List<OperatorSubtaskState> states = new ArrayList<>();
        for (int i = 0; i < parallelism; i++) {
            states.add(withOperatorState(assigned.get(new OperatorInstanceID(i, operator))));
        }
        return states;
    }

    // ------------------------------------------------------------------ release 0.1

    @Test
    void theUnionStateOfRelease01IsReadOnceAndIsGone() throws Exception {
        OperatorSubtaskState of01 = ofRelease01();
        assertThat(modes(of01)).contains(OperatorStateHandle.Mode.UNION);
        try (DurableHarness harness = setup().open(of01, 2)) {
            assertThat(context().restored()).contains(new RestoredCheckpoint(JOB_OF_01, 2));
            assertThat(modes(harness.snapshot())).containsOnly(OperatorStateHandle.Mode.BROADCAST);
        }
        try (DurableHarness harness = DurableHarness.setup().open(of01, 2)) {
            assertThat(modes(harness.snapshot())).as("with no log any more").isEmpty();
        }
    }

    @Test
    void afterAJobWithoutALogNothingIsKnownOfTheLogBefore() throws Exception {
        OperatorSubtaskState logged;
        try (DurableHarness harness = setup().open()) {
            harness.send("a", "1");
            logged = harness.snapshot();
        }
        OperatorSubtaskState notLogged;
        try (DurableHarness harness = DurableHarness.setup().open(logged, 5)) {
            notLogged = harness.snapshot();
        }
        setup().open(notLogged, 2).close();
        assertThat(context().restored())
                .contains(new RestoredCheckpoint(RestoredCheckpoint.NO_LOG, 2));
    }

    private static OperatorSubtaskState ofRelease01() throws Exception {
        try (DataInputStream in = new DataInputStream(Files.newInputStream(SAVEPOINT_OF_01))) {
            return Checkpoints.loadCheckpointMetadata(
                            in,
                            CallLogOpeningTest.class.getClassLoader(),
                            SAVEPOINT_OF_01.toString())
                    .getOperatorStates()
                    .stream()
                    .flatMap(operator -> operator.getStates().stream())
                    .filter(state -> names(state).anyMatch("durable-call-log-job"::equals))
                    .map(state -> withOperatorState(state.getManagedOperatorState()))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static OperatorSubtaskState withOperatorState(
            Iterable<OperatorStateHandle> operatorState) {
        List<OperatorStateHandle> handles = new ArrayList<>();
        operatorState.forEach(handles::add);
        return OperatorSubtaskState.builder()
                .setManagedOperatorState(new StateObjectCollection<>(handles))
                .build();
    }

    private static Stream<String> names(OperatorSubtaskState state) {
        return state.getManagedOperatorState().stream()
                .flatMap(handle -> handle.getStateNameToPartitionOffsets().keySet().stream());
    }

    private static List<OperatorStateHandle.Mode> modes(OperatorSubtaskState state) {
        return state.getManagedOperatorState().stream()
                .flatMap(handle -> handle.getStateNameToPartitionOffsets().values().stream())
                .map(StateMetaInfo::getDistributionMode)
                .collect(toList());
    }

    private CallLogContext context() {
        return log.attempt().context();
    }
}
