package pyflink.durable.log.kafka;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.TestAttempt;

/**
 * Writes the golden records of a format version, once, when the version is new: they stand for the
 * topics that users hold. Run in {@code java-bridge}:
 *
 * <pre>{@code
 * mvn test -pl core,kafka -Dtest=GoldenRecords -Dgolden.write=true
 * }</pre>
 */
class GoldenRecords {

    static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v2");

    static final long GENERATION = 3;
    static final long EPOCH = 5;

    static TestAttempt attempt() {
        return TestAttempt.ofJob("a0").attempt(2).subtask(1, 2).restoredFrom("b0", 4);
    }

    @Test
    @EnabledIfSystemProperty(named = "golden.write", matches = "true")
    void write() throws Exception {
        Files.createDirectories(FOLDER);
        byte[] prefix = KafkaRecord.prefix("orders", attempt().context().writer(GENERATION), EPOCH);
        byte[] entry = LogEntrySerializer.toBytes(OpenLog.entry(6, 1));
        Files.write(FOLDER.resolve("entry.bin"), KafkaRecord.value(prefix, entry));
        Files.write(
                FOLDER.resolve("fence.bin"),
                KafkaRecord.prefix(
                        "orders", attempt().context().writer(KafkaRecord.UNKNOWN), EPOCH));
    }
}
