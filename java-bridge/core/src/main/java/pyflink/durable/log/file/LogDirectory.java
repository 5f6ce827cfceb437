package pyflink.durable.log.file;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import javax.annotation.Nullable;
import pyflink.durable.log.CallLogContext;

/**
 * The directory that holds the files of one operator. Its id is the name of the only file in the
 * folder {@value #IDENTITY} in it: a folder with something in it can be put in place at once, and
 * by one of those who try.
 */
final class LogDirectory {

    static final String PARTIAL = ".partial";

    private static final String IDENTITY = "identity";

    /** Release 0.1 gave its directories none. */
    private static final String NO_IDENTITY = "(of release 0.1)";

    /** Longer than a file that is being made has that name. */
    private static final Duration ABANDONED = Duration.ofHours(1);

    private final Path path;
    private final String id;

    private LogDirectory(Path path, String id) {
        this.path = path;
        this.id = id;
    }

    /**
     * Opens the directory of an operator inside that of the log; makes it, unless the attempt
     * expects to find it.
     */
    static LogDirectory open(Path parent, CallLogContext context) throws IOException {
        Path path = parent.resolve(nameOf(context.operatorUid()));
        context.requireLog("the directory " + path, find(path));
        try {
            Files.createDirectories(path, OwnerOnly.directory(path));
            Optional<String> id = idIn(path);
            if (id.isEmpty()) {
                putIdentity(path);
                id = idIn(path);
            }
            LogDirectory directory = new LogDirectory(path, id.orElseThrow());
            directory.deleteAbandoned();
            directory.force();
            force(parent);
            return directory;
        } catch (IOException e) {
            throw unusable(path, e);
        }
    }

    @Nullable
    private static String find(Path path) throws IOException {
        try {
            return Files.isDirectory(path) ? idIn(path).orElse(NO_IDENTITY) : null;
        } catch (IOException e) {
            throw unusable(path, e);
        }
    }

    private static IOException unusable(Path path, IOException cause) {
        return new IOException(
                String.format(
                        "The call log cannot make its directory %s (%s). The setting 'directory'"
                                + " must name a place that every TaskManager can write to.",
                        path, cause),
                cause);
    }

    private static Optional<String> idIn(Path path) throws IOException {
        try (Stream<Path> names = Files.list(path.resolve(IDENTITY))) {
            return names.map(each -> each.getFileName().toString()).findFirst();
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private static void putIdentity(Path path) throws IOException {
        String id = UUID.randomUUID().toString();
        Path partial = path.resolve(id + PARTIAL);
        Path name = partial.resolve(id);
        Files.createDirectory(partial, OwnerOnly.directory(partial));
        Files.createFile(name, OwnerOnly.file(name));
        force(partial);
        try {
            Files.move(partial, path.resolve(IDENTITY), StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            Files.delete(name);
            Files.delete(partial);
            if (idIn(path).isEmpty()) { // else another subtask was faster
                throw e;
            }
        }
    }

    /** Deletes what processes that were killed have not put in place. */
    private void deleteAbandoned() throws IOException {
        Instant limit = Instant.now().minus(ABANDONED);
        for (Path each : list()) {
            if (each.toString().endsWith(PARTIAL)
                    && Files.isRegularFile(each)
                    && Files.getLastModifiedTime(each).toInstant().isBefore(limit)) {
                Files.deleteIfExists(each);
            }
        }
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

    String id() {
        return id;
    }

    /** The files of a kind; segments in the order in which their entries were appended. */
    List<LogFile> files(LogFile.Kind kind) throws IOException {
        return files().stream()
                .filter(file -> file.kind() == kind)
                .sorted(
                        Comparator.comparingLong(LogFile::generation)
                                .thenComparingLong(LogFile::number)
                                .thenComparing(LogFile::toString))
                .collect(Collectors.toList());
    }

    /** All files of all writers. */
    List<LogFile> files() throws IOException {
        List<LogFile> files = new ArrayList<>();
        for (Path each : list()) {
            LogFile.of(each).ifPresent(files::add);
        }
        return files;
    }

    /** Greater than the generation of every writer that has left a trace. */
    long nextGeneration() throws IOException {
        return files().stream().mapToLong(LogFile::generation).max().orElse(0) + 1;
    }

    /** Makes new and deleted names as durable as the content of the files. */
    void force() throws IOException {
        force(path);
    }

    private List<Path> list() throws IOException {
        try (Stream<Path> paths = Files.list(path)) {
            return paths.collect(Collectors.toList());
        }
    }

    private static void force(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
