package pyflink.durable.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LogEntrySerializerTest {

    static Stream<LogEntry> entries() {
        return Stream.of(
                OpenLog.pending(0, 0),
                OpenLog.entry(32_767, 3, new byte[] {0, -1}),
                OpenLog.dropped(1, 0),
                new LogEntry(0, new byte[0], "é".repeat(70_000), Long.MAX_VALUE, "", 0, null));
    }

    @ParameterizedTest
    @MethodSource("entries")
    void readsWhatItWrote(LogEntry entry) throws IOException {
        assertThat(LogEntrySerializer.fromBytes(LogEntrySerializer.toBytes(entry)))
                .isEqualTo(entry);
    }

    @Test
    void refusesANewerVersion() throws IOException {
        byte[] bytes = LogEntrySerializer.toBytes(OpenLog.pending(0, 0));
        bytes[0] = LogEntrySerializer.VERSION + 1;
        assertThatThrownBy(() -> LogEntrySerializer.fromBytes(bytes))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("format version 2")
                .hasMessageContaining("use that one, or newer");
    }

    @Test
    void aMessageShowsNeitherKeyNorPayload() {
        assertThat(OpenLog.entry(4, 1, "secret").toString())
                .contains("slot 1", "invocation 7", "key group 4")
                .doesNotContain("secret", "key 4");
    }
}
