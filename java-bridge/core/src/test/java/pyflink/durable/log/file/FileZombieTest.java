package pyflink.durable.log.file;

import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.OpenLog.pending;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.ZombieConformance;

class FileZombieTest extends ZombieConformance {

    @TempDir Path directory;

    @Override
    protected Map<String, String> settings() {
        return Map.of("type", "file", "directory", directory.toString());
    }

    /** The bytes of a group reach the disk in parts, before, while and after it is succeeded. */
    @Test
    void ofAGroupThatWasHalfWrittenWhenTheWriterWasSucceededNothingIsEverRead() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0));
            Path segment = files(".segment").get(0);
            int durable = (int) Files.size(segment);
            zombie.append(entry(0, 0));
            byte[] whole = Files.readAllBytes(segment);
            for (int length = durable; length < whole.length; length += 20) {
                Files.write(segment, Arrays.copyOf(whole, length));
                try (OpenLog successor = open(ofJob("a0").attempt(1))) {
                    Files.write(segment, whole, StandardOpenOption.WRITE);
                    assertThat(successor.recovered).containsExactly(pending(0, 0));
                }
                try (OpenLog next = open(ofJob("a0").attempt(2))) {
                    assertThat(next.recovered).containsExactly(pending(0, 0));
                }
                for (Path seal : files(".sealed")) {
                    Files.move(seal, claimOf(seal)); // as if it had not been succeeded
                }
            }
        }
    }

    @Test
    void aGroupThatWasWrittenAndNotReportedIsReadByAllOrNone() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0)); // what follows does not see this report
            try (OpenLog one = open(ofJob("a0").attempt(1).subtask(0, 2))) {
                assertThat(one.recovered).containsExactly(pending(0, 0));
                assertThatThrownBy(() -> zombie.append(entry(0, 0), entry(7, 0)))
                        .hasMessageContaining("has taken over");
                // reads the same segment later, and does not see more of it
                try (OpenLog two = open(ofJob("a0").attempt(1).subtask(1, 2))) {
                    assertThat(two.recovered).isEmpty();
                }
            }
        }
    }

    @Test
    void whatACompletedCheckpointCoversIsDeletedWithItsSeal() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0));
            try (OpenLog successor = open(ofJob("a0").attempt(1))) {
                assertThat(files(".sealed")).hasSize(1);
                assertThat(files(".segment")).hasSize(1);
                successor.log.onSnapshot(1);
                successor.log.onCheckpointComplete(1);
                successor.append(entry(0, 1)); // behind the deletion
                assertThat(files(".sealed")).isEmpty();
                assertThat(files(".segment")).hasSize(1);
            }
        }
    }

    /** Its process has ended between the two steps. */
    @Test
    void aClaimThatASuccessorHasTakenAndNotSealedIsSealedByTheNext() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0));
            Path claim = files(".claim").get(0);
            String name = claim.getFileName().toString();
            Files.move(claim, claim.resolveSibling(name.replace(".claim", ".taken")));
            open(ofJob("a0").attempt(1)).close();
            assertThatThrownBy(() -> zombie.append(entry(0, 0)))
                    .hasMessageContaining("has taken over");
            try (OpenLog next = open(ofJob("a0").attempt(2))) {
                assertThat(next.recovered).containsExactly(pending(0, 0));
            }
            assertThat(files(".taken")).isEmpty();
        }
    }

    @Test
    void ofTwoThatChoseOneGenerationTheSecondChoosesAgain() throws Exception {
        LogDirectory of = LogDirectory.open(directory, ofJob("a0").context());
        long chosen = of.nextGeneration(); // and then it stands still
        try (OpenLog other = open(ofJob("a0").attempt(1))) {
            other.append(entry(0, 0));
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(1_000);
        Succession late = Succession.begin(of, ofJob("a0").context(), chosen, buffer);
        assertThat(late.claim().generation()).isEqualTo(chosen + 1);
        assertThat(late.segments()).extracting(LogFile::generation).containsExactly(chosen);
        assertThat(files(".claim")).containsExactly(late.claim().path());
    }

    private static Path claimOf(Path seal) {
        return seal.resolveSibling(
                seal.getFileName().toString().replaceFirst("-n\\d+-l\\d+\\.sealed", ".claim"));
    }

    private List<Path> files(String ending) throws Exception {
        try (Stream<Path> all = Files.walk(directory)) {
            return all.filter(each -> each.toString().endsWith(ending)).sorted().collect(toList());
        }
    }
}
