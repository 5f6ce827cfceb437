package pyflink.durable.log.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;

import java.io.InputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Records of every format version are read; {@link GoldenRecords} says what they are. */
class KafkaRecordTest {

    @ParameterizedTest
    @ValueSource(strings = {"v1", "v2"})
    void anEntryOfEachVersionIsRead(String version) throws Exception {
        KafkaRecord record = read("/golden/" + version + "/entry.bin");
        assertThat(record.isFence()).isFalse();
        assertThat(record.isFenced()).isEqualTo(!version.equals("v1"));
        assertThat(record.entry()).isEqualTo(entry(6, 1));
        assertThat(record.epoch()).isEqualTo(GoldenRecords.EPOCH);
        assertThat(record.generation()).isEqualTo(GoldenRecords.GENERATION);
        assertThat(record.writer().toString()).isEqualTo("job a0, subtask 1, attempt 2");
        assertThat(record.writer().restored())
                .isEqualTo(GoldenRecords.attempt().context().restored());
    }

    @Test
    void aFenceIsRead() throws Exception {
        KafkaRecord record = read("/golden/v2/fence.bin");
        assertThat(record.isFence()).isTrue();
        assertThat(record.isFenced()).isTrue();
        assertThat(record.generation()).isEqualTo(KafkaRecord.UNKNOWN);
    }

    @Test
    void aNewerVersionIsRefused() throws Exception {
        byte[] value = bytes("/golden/v2/entry.bin");
        value[0] = KafkaRecord.VERSION + 1;
        assertThatThrownBy(() -> KafkaRecord.fromValue(value, "topic", "orders"))
                .hasMessageContaining("A record in the topic topic has format version 3")
                .hasMessageContaining("use that one, or newer");
    }

    private static KafkaRecord read(String file) throws Exception {
        return KafkaRecord.fromValue(bytes(file), "topic", "orders");
    }

    private static byte[] bytes(String file) throws Exception {
        try (InputStream in = KafkaRecordTest.class.getResourceAsStream(file)) {
            return in.readAllBytes();
        }
    }
}
