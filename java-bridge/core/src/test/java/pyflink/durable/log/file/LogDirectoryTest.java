package pyflink.durable.log.file;

import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.util.FileUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.TestAttempt;

/** What is in the directory of a log besides its entries: whose it is, and what is left behind. */
class LogDirectoryTest {

    @TempDir Path parent;

    private OpenLog open(TestAttempt attempt) throws Exception {
        return attempt.open(Map.of("type", "file", "directory", parent.toString()));
    }

    @Test
    void oneThatWasMadeAnewIsAnotherLog() throws Exception {
        String id = idAfterAppending(entry(0, 0));
        FileUtils.deleteDirectory(directory().toFile());
        open(ofJob("b0")).close();
        assertThatThrownBy(() -> open(ofJob("a0").restoredFrom("a0", 1).expecting(id)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("goes with the call log " + id)
                .hasMessageContaining("in the directory " + directory())
                .hasMessageContaining("a disk that is not mounted");
    }

    @Test
    void oneOfRelease01IsTakenAndGetsAnId() throws Exception {
        idAfterAppending(entry(0, 0));
        FileUtils.deleteDirectory(directory().resolve("identity").toFile());
        TestAttempt restored = ofJob("a0").restoredFrom("a0", 0);
        String id;
        try (OpenLog log = open(restored.expecting(CallLogContext.ANY_LOG))) {
            assertThat(log.recovered).containsExactly(entry(0, 0));
            id = log.log.id();
        }
        open(restored.expecting(id)).close();
    }

    @Test
    void onlyTheirOwnerReadsTheFiles() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry(0, 0));
            assertThat(files()).hasSize(2);
            try (Stream<Path> all = Files.walk(directory())) {
                for (Path each : all.collect(toList())) {
                    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(each)))
                            .as(each.toString())
                            .isEqualTo(Files.isDirectory(each) ? "rwx------" : "rw-------");
                }
            }
        }
    }

    @Test
    void aStartThatFailsLeavesNoFile() throws Exception {
        open(ofJob("a0")).close();
        LogFile claim = LogFile.newClaim(directory(), ofJob("a0").context().writer(1));
        writeByANewerRelease(claim.path());
        assertThatThrownBy(() -> open(ofJob("a0"))).hasMessageContaining("newer release");
        assertThat(files()).containsExactly(claim.path());
        Files.delete(claim.path());

        Path segment = claim.segment(0, 0).path();
        writeByANewerRelease(segment);
        assertThatThrownBy(() -> open(ofJob("a0"))).hasMessageContaining("newer release");
        assertThat(files()).containsExactly(segment);
    }

    @Test
    void whatAKilledProcessHasNotPutInPlaceIsDeletedInTime() throws Exception {
        open(ofJob("a0")).close();
        Path old = Files.createFile(directory().resolve("old.claim.partial"));
        Path current = Files.createFile(directory().resolve("new.claim.partial"));
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofMinutes(61))));
        open(ofJob("a0")).close();
        assertThat(files()).containsExactly(current);
    }

    private String idAfterAppending(LogEntry entry) throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry);
            return log.log.id();
        }
    }

    private static void writeByANewerRelease(Path path) throws IOException {
        byte[] header = {FileHeader.VERSION + 1};
        try (FrameWriter writer = new FrameWriter(path, ByteBuffer.allocateDirect(64))) {
            writer.write(List.of(header));
        }
    }

    private Path directory() throws IOException {
        try (Stream<Path> operators = Files.list(parent)) {
            return operators.collect(toList()).get(0);
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.list(directory())) {
            return all.filter(Files::isRegularFile).sorted().collect(toList());
        }
    }
}
