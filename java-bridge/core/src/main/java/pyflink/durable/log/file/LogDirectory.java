package pyflink.durable.log.file;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/** The directory that holds the files of one operator. */
final class LogDirectory {

    private final Path path;

    private LogDirectory(Path path) {
        this.path = path;
    }

    /** Makes the directory of an operator inside that of the log. */
    static LogDirectory of(Path parent, String operatorUid) throws IOException {
        Path path = parent.resolve(nameOf(operatorUid));
        try {
            Files.createDirectories(path);
        } catch (IOException e) {
            throw new IOException(
                    String.format(
                            "The call log cannot make its directory %s (%s). The setting"
                                    + " 'directory' must name a place that every TaskManager can"
                                    + " write to.",
                            path, e),
                    e);
        }
        LogDirectory directory = new LogDirectory(path);
        force(parent);
        return directory;
    }

    /** The uid if it makes a file name, with a checksum that tells apart those that do not. */
    private static String nameOf(String uid) {
        CRC32C crc = new CRC32C();
        crc.update(uid.getBytes(StandardCharsets.UTF_8));
        String legible = uid.replaceAll("[^A-Za-z0-9._-]", "_");
        return String.format(
                "%.60s-%08x", legible.startsWith(".") ? "_" + legible : legible, crc.getValue());
    }

    Path path() {
        return path;
    }

    /** All claims. */
    List<LogFile> claims() throws IOException {
        return files(false);
    }

    /** All segments, in the order in which their entries were appended. */
    List<LogFile> segments() throws IOException {
        return files(true);
    }

    /** Greater than the generation of every writer that has left a trace. */
    long nextGeneration() throws IOException {
        return Stream.concat(claims().stream(), segments().stream())
                        .mapToLong(LogFile::generation)
                        .max()
                        .orElse(0)
                + 1;
    }

    /** Makes new and deleted names as durable as the content of the files. */
    void force() throws IOException {
        force(path);
    }

    private List<LogFile> files(boolean segments) throws IOException {
        List<LogFile> files = new ArrayList<>();
        try (Stream<Path> paths = Files.list(path)) {
            paths.forEach(
                    each ->
                            LogFile.of(each)
                                    .filter(file -> file.isSegment() == segments)
                                    .ifPresent(files::add));
        }
        files.sort(
                Comparator.comparingLong(LogFile::generation)
                        .thenComparingLong(LogFile::number)
                        .thenComparing(LogFile::toString));
        return files;
    }

    private static void force(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
