package pyflink.durable.operator;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.OperatorSnapshotUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.engine.JournalWrite;
import pyflink.durable.journal.CallSerializerTest;

/**
 * Writes the golden files of a format version, once, when the version is new. They stay in the
 * repository for good: they stand for the savepoints that users hold. Run in {@code
 * java-bridge/core}:
 *
 * <pre>{@code mvn test -Dtest=GoldenFiles -Dgolden.write=true}</pre>
 *
 * <p>Versions 1 to 4 were written with Flink 2.2.0. An input has had version 1 ever since: its file
 * stays in the folder of that version. Never write a released version again: a test that fails on
 * its files has found users' state that no longer restores.
 */
class GoldenFiles {

    static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v4");

    static final long BEGAN = 1_800_000_000_000_001L;
    static final long ENDED = 1_800_000_000_500_002L;

    @Test
    @EnabledIfSystemProperty(named = "golden.write", matches = "true")
    void write() throws Exception {
        Files.createDirectories(FOLDER);
        Files.write(FOLDER.resolve("calls.bin"), CallSerializerTest.goldenCalls());
        OperatorSnapshotUtil.writeStateHandle(
                operatorSnapshot(), FOLDER.resolve("operator-snapshot.bin").toString());
    }

    /** Two keys in flight, one idle, with every status of a call, times and user state. */
    private static OperatorSubtaskState operatorSnapshot() throws Exception {
        try (DurableHarness harness =
                DurableHarness.keyedBy(DurableHarness.KeyKind.STRING).open()) {
            harness.send("alice", "0", 1_000);
            harness.operator.host().handler("alice:0").putState("total", "10");
            harness.end("alice:0");
            harness.send("alice", "1", 2_000);
            harness.send("alice", "2");
            harness.send("bob", "1", -1);
            harness.send("carol", "1");
            harness.end("carol:1");
            HarnessHandler alice = harness.operator.host().handler("alice:1");
            DurableBridge bridge = harness.operator.bridge();
            write(alice, "PENDING").began(BEGAN).to(bridge);
            alice.call(1, "shop.notify");
            alice.call(2, "shop.ship");
            alice.fail(2, "shop.ship", "no stock");
            write(alice, "FINALIZED").result("receipt".getBytes()).endedAt(ENDED).to(bridge);
            HarnessHandler bob = harness.operator.host().handler("bob:1");
            bob.call(0, "shop.charge");
            bob.schedule(0, "shop.charge", 2, 1_800_000_000_000L);
            bob.call(1, "shop.notify");
            bob.startAttempt(1, "shop.notify", 5);
            return harness.snapshot();
        }
    }

    private static JournalWrite write(HarnessHandler handler, String what) {
        return new JournalWrite(handler.id(), 0, "shop.charge", "digest", what);
    }
}
