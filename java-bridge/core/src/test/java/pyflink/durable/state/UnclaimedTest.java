package pyflink.durable.state;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;
import pyflink.durable.operator.MemoryCallLog;

/** Calls that the log holds of inputs that have not come back: a checkpoint takes them over. */
@Timeout(60)
class UnclaimedTest {

    private static final List<String> KEYS = List.of("a", "b", "c", "d", "e", "f");

    private final MemoryCallLog log = new MemoryCallLog();

    /** The checkpoint behind which the log alone knows of calls. */
    private long checkpoint;

    private DurableHarness.Setup setup(Backend backend) {
        return DurableHarness.setup().backend(backend).callLog(log);
    }

    private DurableHarness.Setup setup() {
        return setup(Backend.HASHMAP);
    }

    private static HarnessHandler send(DurableHarness harness, String key, String value)
            throws Exception {
        harness.send(key, value);
        return harness.operator.host().handler(key + ":" + value);
    }

    /** A snapshot of nothing, behind which the log alone knows a call of each key. */
    private OperatorSubtaskState snapshotBehindWhichCallsWereMade(Backend backend)
            throws Exception {
        try (DurableHarness harness = setup(backend).open()) {
            checkpoint = harness.checkpoint();
            for (String key : KEYS) {
                send(harness, key, "1").call(0, "charge");
            }
            log.attempt().flush();
            return harness.snapshotOf(checkpoint);
        }
    }

    @ParameterizedTest
    @EnumSource(Backend.class)
    void oneSubtaskMayDeleteWhatTwoHaveReadAsSoonAsTheCheckpointCompletes(Backend backend)
            throws Exception {
        OperatorSubtaskState one = snapshotBehindWhichCallsWereMade(backend);
        OperatorSubtaskState[] two = new OperatorSubtaskState[2];
        for (int subtask = 0; subtask < 2; subtask++) {
            try (DurableHarness harness =
                    setup(backend)
                            .subtask(subtask, 2)
                            .open(DurableHarness.part(one, 1, subtask, 2), checkpoint)) {
                harness.runMails();
                two[subtask] = harness.toRescale(backend);
            } // what it has appended is not durable: the disk was slow, or failed
        }
        log.forgetAll(); // by the other one, to whom the checkpoint's completion was told

        OperatorSubtaskState together = DurableHarness.together(two);
        for (int subtask = 0; subtask < 3; subtask++) {
            try (DurableHarness harness =
                    setup(backend)
                            .subtask(subtask, 3)
                            .open(DurableHarness.part(together, 2, subtask, 3))) {
                for (String key : KEYS) {
                    if (DurableHarness.subtaskOf(key, 3) == subtask) {
                        assertThat(send(harness, key, "1").journal())
                                .containsExactly("charge PENDING");
                    }
                }
                assertThat(harness.count("recovered"))
                        .isEqualTo(harness.operator.host().running().size());
            }
        }
    }

    @Test
    void theyAreNotAppendedAgain() throws Exception {
        OperatorSubtaskState snapshot = snapshotBehindWhichCallsWereMade(Backend.HASHMAP);
        try (DurableHarness harness = setup().open(snapshot, checkpoint)) {
            harness.complete(harness.checkpoint());
            harness.complete(harness.checkpoint());
            assertThat(harness.count("logAppends")).isZero();
            assertThat(log.entries()).isEmpty();
        }
    }

    @Test
    void theStateForgetsThemOnceTheirInputHasComeBack() throws Exception {
        OperatorSubtaskState snapshot = snapshotBehindWhichCallsWereMade(Backend.HASHMAP);
        try (DurableHarness harness = setup().open(snapshot, checkpoint)) {
            harness.snapshot();
            assertThat(harness.stateEntries()).isEqualTo(KEYS.size());
            for (String key : KEYS) {
                assertThat(send(harness, key, "1").journal()).containsExactly("charge PENDING");
                harness.end(key + ":1");
            }
            harness.snapshot();
            harness.operator.accesses().take();
            OperatorSubtaskState after = harness.snapshot();
            assertThat(harness.operator.accesses().take()).isEmpty();
            log.forgetAll();
            try (DurableHarness next = setup().open(after)) {
                assertThat(send(next, "a", "1").journal()).isEmpty();
            }
        }
    }

    @Test
    void whatTheLogSaysSinceComesOnTop() throws Exception {
        OperatorSubtaskState snapshot = snapshotBehindWhichCallsWereMade(Backend.HASHMAP);
        try (DurableHarness harness = setup().open(snapshot, checkpoint)) {
            long next = harness.checkpoint();
            harness.complete(next);
            HarnessHandler handler = send(harness, "a", "1");
            handler.succeed(0, "charge", "receipt");
            handler.call(1, "ship");
            log.attempt().flush();
            try (DurableHarness after = setup().open(harness.snapshotOf(next), next)) {
                assertThat(send(after, "a", "1").journal())
                        .containsExactly("charge SUCCEEDED receipt", "ship PENDING");
                assertThat(send(after, "b", "1").journal()).containsExactly("charge PENDING");
            }
        }
    }

    @Test
    void theInputThatCameInTheirPlaceIsNotMixedUpWithThem() throws Exception {
        OperatorSubtaskState snapshot = snapshotBehindWhichCallsWereMade(Backend.HASHMAP);
        try (DurableHarness harness = setup().open(snapshot, checkpoint)) {
            long next = harness.checkpoint();
            harness.complete(next);
            send(harness, "a", "other").call(0, "refund");
            log.attempt().flush();
            assertThat(harness.count("unclaimed")).isEqualTo(1);
            try (DurableHarness after = setup().open(harness.snapshotOf(next), next)) {
                assertThat(send(after, "a", "other").journal()).containsExactly("refund PENDING");
            }
            OperatorSubtaskState later = harness.snapshot();
            log.forgetAll();
            try (DurableHarness last = setup().open(later)) {
                last.runMails();
                assertThat(last.operator.host().handler("a:other").journal())
                        .containsExactly("refund PENDING");
                assertThat(last.operator.engine().counters().toJsonMembers())
                        .contains("\"unclaimed\": 0");
            }
        }
    }

    @Test
    void anOperatorThatHasNoLogAnyMoreForgetsThem() throws Exception {
        OperatorSubtaskState snapshot = snapshotBehindWhichCallsWereMade(Backend.HASHMAP);
        OperatorSubtaskState unclaimed;
        try (DurableHarness harness = setup().open(snapshot, checkpoint)) {
            unclaimed = harness.snapshot();
        }
        OperatorSubtaskState withoutLog;
        try (DurableHarness harness = DurableHarness.setup().open(unclaimed)) {
            withoutLog = harness.snapshot();
        }
        log.forgetAll();
        try (DurableHarness harness = setup().open(withoutLog)) {
            assertThat(send(harness, "a", "1").journal()).isEmpty();
        }
    }
}
