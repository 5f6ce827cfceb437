package pyflink.durable.operator;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.OperatorSnapshotUtil;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import pyflink.durable.journal.CallSerializerTest;

/**
 * Writes the golden files of a format version, once, when the version is new. They stay in the
 * repository for good: they stand for the savepoints that users hold. Run in {@code
 * java-bridge/core}:
 *
 * <pre>{@code mvn test -Dtest=GoldenFiles -Dgolden.write=true}</pre>
 *
 * <p>Version 1 was written with Flink 2.2.0. Never write a released version again: a test that
 * fails on its files has found users' state that no longer restores.
 */
class GoldenFiles {

    static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v1");

    @Test
    @EnabledIfSystemProperty(named = "golden.write", matches = "true")
    void write() throws Exception {
        Files.createDirectories(FOLDER);
        Files.write(FOLDER.resolve("calls.bin"), CallSerializerTest.goldenCalls());
        Files.write(FOLDER.resolve("inputs.bin"), InputSerializerTest.goldenInputs());
        OperatorSnapshotUtil.writeStateHandle(
                operatorSnapshot(), FOLDER.resolve("operator-snapshot.bin").toString());
    }

    /** Two keys in flight, one idle, with every status of a call and with user state. */
    private static OperatorSubtaskState operatorSnapshot() throws Exception {
        try (DurableHarness<Row> harness =
                DurableHarness.keyedBy(DurableHarness.KeyKind.ROW).open()) {
            harness.send("alice", "0", 1_000);
            harness.operator.handler("alice:0").putState("total", "10");
            harness.end("alice:0");
            harness.send("alice", "1", 2_000);
            harness.send("alice", "2");
            harness.send("bob", "1", -1);
            harness.send("carol", "1");
            harness.end("carol:1");
            HarnessOperator<Row>.Handler alice = harness.operator.handler("alice:1");
            alice.call(0, "shop.charge");
            alice.call(1, "shop.notify");
            alice.call(2, "shop.ship");
            alice.fail(2, "shop.ship", "no stock");
            alice.succeed(0, "shop.charge", "receipt");
            return harness.snapshot();
        }
    }
}
