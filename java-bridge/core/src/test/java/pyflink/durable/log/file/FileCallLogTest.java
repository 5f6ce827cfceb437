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
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.flink.util.FileUtils;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import pyflink.durable.log.CallLogConformance;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.TestAttempt;

class FileCallLogTest extends CallLogConformance {

    @TempDir Path directory;

    @Override
    protected Map<String, String> settings() {
        return Map.of("type", "file", "directory", directory.toString(), "segment.size", "2 kb");
    }

    @Override
    protected long[] seeds() {
        return LongStream.range(0, 15).toArray();
    }

    @Override
    protected Map<String, String> settings(long seed) {
        return Map.of("type", "file", "directory", directory.resolve("" + seed).toString());
    }

    // ------------------------------------------------------------------ segments

    @Test
    void aSegmentEndsAtItsSizeAndAtASnapshotAndItsNameTellsWhoseItIs() throws Exception {
        try (OpenLog log = open(ofJob("a0").attempt(3).subtask(1, 2))) {
            log.append(entry(4, 0, new byte[3_000]));
            log.append(entry(4, 1));
            log.log.onSnapshot(5);
            log.log.onSnapshot(6); // nothing was appended in epoch 5
            log.append(entry(4, 2));
            assertThat(names(".segment"))
                    .allMatch(name -> name.matches("g00000001-ja0-s1-a3-x\\p{XDigit}{8}-.*"))
                    .extracting(name -> name.replaceFirst(".*(-e)", "$1"))
                    .containsExactly(
                            "-e00000000-n000000.segment",
                            "-e00000000-n000001.segment",
                            "-e00000006-n000002.segment");
        }
    }

    @Test
    void aJobThatEndsAfterItsLastCheckpointLeavesNoFile() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry(0, 0));
            log.log.onSnapshot(1);
            log.log.onCheckpointComplete(1);
            log.append(entry(0, 1));
            log.log.onSnapshot(2);
            log.log.onCheckpointComplete(2);
            log.append(entry(0, 2)); // behind the deletion
        }
        assertThat(names("").stream().filter(name -> !name.equals("identity")))
                .singleElement(InstanceOfAssertFactories.STRING)
                .contains("-e00000002-");
    }

    @Test
    void aJobWithoutStateLeavesTheFilesOfOtherJobsAlone() throws Exception {
        try (OpenLog earlier = open(ofJob("a0"))) {
            earlier.log.onSnapshot(1);
            earlier.append(entry(0, 0));
        }
        try (OpenLog mistake = open(ofJob("b0"))) {
            mistake.append(entry(0, 0, "of the mistake"));
            mistake.log.onSnapshot(2);
            mistake.log.onCheckpointComplete(2);
            mistake.append(entry(0, 1));
        }
        try (OpenLog right = open(ofJob("c0").restoredFrom("a0", 1))) {
            assertThat(right.recovered).containsExactly(entry(0, 0));
        }
    }

    @Test
    void aDirectoryMayBeGivenAsAUri() throws Exception {
        Map<String, String> settings =
                Map.of("type", "file", "directory", directory.toUri().toString());
        try (OpenLog log = ofJob("a0").open(settings)) {
            log.append(entry(0, 0));
        }
        assertThat(names(".segment")).hasSize(1);
    }

    @Test
    void aSizeThatIsNoneIsAnErrorThatSaysWhatToWrite() {
        Map<String, String> settings =
                Map.of("type", "file", "directory", "x", "segment.size", "3 gb");
        assertThatThrownBy(() -> ofJob("a0").open(settings))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'segment.size'")
                .hasMessageContaining("'3 gb'")
                .hasMessageContaining("'64 mb'");
    }

    @Test
    void aLogWithoutADirectoryIsAnError() {
        assertThatThrownBy(() -> ofJob("a0").open(Map.of("type", "file")))
                .hasMessageContaining("needs the setting 'directory'");
    }

    @Test
    void aDirectoryThatCannotBeMadeIsAnErrorAtTheStart() throws Exception {
        Path file = Files.createFile(directory.resolve("taken"));
        Map<String, String> settings = Map.of("type", "file", "directory", file.toString());
        assertThatThrownBy(() -> ofJob("a0").open(settings))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("every TaskManager can write to");
    }

    // ------------------------------------------------------------------ damage

    @Test
    void aTornTailIsLeftOutWhereverItWasCut() throws Exception {
        Path segment = segmentOf(entry(0, 0), entry(0, 1));
        byte[] whole = Files.readAllBytes(segment);
        Path shorter = segmentOf(entry(0, 0));
        int durable = (int) Files.size(shorter);
        Files.delete(shorter);
        for (int length = 0; length < whole.length; length++) {
            Files.write(segment, Arrays.copyOf(whole, length));
            assertThat(recoveredSlots())
                    .as("cut at %d", length)
                    .isEqualTo(length < durable ? List.of() : List.of(0));
            // what a file system may have put there instead
            Files.write(segment, Arrays.copyOf(Arrays.copyOf(whole, length), whole.length + 99));
            assertThat(recoveredSlots()).as("zeros from %d", length).doesNotContain(1);
        }
    }

    @Test
    void aDamagedLastGroupIsLeftOutButDamageBeforeAValidGroupIsAnError() throws Exception {
        Path segment = segmentOf(entry(0, 0), entry(0, 1));
        byte[] whole = Files.readAllBytes(segment);
        Path shorter = segmentOf(entry(0, 0));
        int durable = (int) Files.size(shorter);
        Files.delete(shorter);
        for (int i = 0; i < whole.length; i++) {
            byte[] damaged = whole.clone();
            damaged[i] ^= 0x10;
            Files.write(segment, damaged);
            if (i < durable) {
                assertThatThrownBy(this::recoveredSlots)
                        .as("damaged at %d", i)
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(segment.toString())
                        .hasMessageContaining("is damaged at byte")
                        .hasMessageContaining("may have happened");
            } else {
                assertThat(recoveredSlots()).as("damaged at %d", i).containsExactly(0);
            }
        }
    }

    @Test
    void damageFarFromTheNextValidGroupIsFoundToo() throws Exception {
        Path segment = segmentOf(entry(0, 0, new byte[200_000]), entry(0, 1));
        byte[] damaged = Files.readAllBytes(segment);
        damaged[500] ^= 1;
        Files.write(segment, damaged);
        assertThatThrownBy(this::recoveredSlots).hasMessageContaining("is damaged at byte");
    }

    @Test
    void refusesASegmentOfANewerRelease() throws Exception {
        LogFile file =
                LogFile.newClaim(operatorDirectory(), ofJob("a0").context().writer(1))
                        .segment(0, 0);
        byte[] header =
                new FileHeader(
                                "orders",
                                ofJob("a0").context().writer(1),
                                ofJob("a0").context().keyGroups(),
                                0)
                        .toBytes();
        header[0] = FileHeader.VERSION + 1;
        try (FrameWriter writer = new FrameWriter(file.path(), ByteBuffer.allocateDirect(64))) {
            writer.write(List.of(header));
        }
        assertThatThrownBy(this::recoveredSlots)
                .hasMessageContaining(file.path().toString())
                .hasMessageContaining("format version 2")
                .hasMessageContaining("use that one, or newer");
    }

    @Test
    void refusesASegmentOfAnotherOperator() throws Exception {
        Path segment = segmentOf(entry(0, 0));
        try (OpenLog other = open(ofJob("a0").uid("refunds"))) {
            other.append(entry(0, 0));
        }
        Path folder;
        try (Stream<Path> folders = Files.list(directory)) {
            folder = folders.filter(each -> each.toString().contains("refunds")).findFirst().get();
        }
        Files.copy(segment, folder.resolve(segment.getFileName()));
        assertThatThrownBy(() -> open(ofJob("a0").uid("refunds")))
                .hasMessageContaining("belongs to the operator 'orders', not to 'refunds'");
    }

    // ------------------------------------------------------------------ attempts at the same time

    @Test
    void anUnrelatedJobOnTheSameDirectoryDoesNotTakeTheLogOver() throws Exception {
        try (OpenLog running = open(ofJob("a0"));
                OpenLog other = open(ofJob("b0"))) {
            running.append(entry(0, 0));
            other.append(entry(0, 0));
        }
    }

    @Test
    void aWriterNeverReportsSuccessWhenItsDirectoryIsGone() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry(0, 0));
            FileUtils.deleteDirectory(operatorDirectory().toFile());
            log.log.onSnapshot(1);
            assertThatThrownBy(() -> log.append(entry(0, 1)))
                    .hasMessageContaining("cannot write to")
                    .hasMessageContaining("goes on from its last checkpoint");
        }
    }

    // ------------------------------------------------------------------ the disk

    /** A segment with each entry in a group of its own. */
    private Path segmentOf(LogEntry... entries) throws Exception {
        Map<String, String> large = Map.of("type", "file", "directory", directory.toString());
        try (OpenLog log = TestAttempt.ofJob("a0").open(large)) {
            for (LogEntry each : entries) {
                log.append(each);
            }
        }
        return operatorDirectory().resolve(names(".segment").get(names(".segment").size() - 1));
    }

    private List<Integer> recoveredSlots() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            return slots(log.recovered);
        }
    }

    private Path operatorDirectory() throws IOException {
        return LogDirectory.open(directory, ofJob("a0").context()).path();
    }

    private List<String> names(String ending) throws IOException {
        try (Stream<Path> files = Files.list(operatorDirectory())) {
            return files.map(each -> each.getFileName().toString())
                    .filter(name -> name.endsWith(ending))
                    .sorted()
                    .collect(toList());
        }
    }
}
