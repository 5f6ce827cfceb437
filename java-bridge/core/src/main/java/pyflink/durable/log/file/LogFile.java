package pyflink.durable.log.file;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import pyflink.durable.log.LogWriter;

/**
 * A file of the log, as its name tells: {@code
 * g<generation>-j<job>-s<subtask>-a<attempt>-x<nonce>.claim}, or in place of {@code .claim} {@code
 * -e<epoch>-n<number>.segment}. Names sort as the entries were appended.
 *
 * <p>The nonce is random. Two writers never share a file, not even those of one attempt number
 * under two JobManagers.
 */
final class LogFile {

    private static final Pattern NAME =
            Pattern.compile(
                    "(g(\\d+)-j\\w+-s\\d+-a\\d+-x\\p{XDigit}+)"
                            + "(?:\\.claim|-e(\\d+)-n(\\d+)\\.segment)");

    private final Path path;
    private final String writer;
    private final long generation;
    private final long epoch;
    private final long number;

    private LogFile(Path path, Matcher name) {
        this.path = path;
        this.writer = name.group(1);
        this.generation = Long.parseLong(name.group(2));
        this.epoch = name.group(3) == null ? -1 : Long.parseLong(name.group(3));
        this.number = name.group(4) == null ? -1 : Long.parseLong(name.group(4));
    }

    /** The file of that name; empty if the log gives no such names. */
    static Optional<LogFile> of(Path path) {
        Matcher name = NAME.matcher(path.getFileName().toString());
        return name.matches() ? Optional.of(new LogFile(path, name)) : Optional.empty();
    }

    /** The claim of a new writer. */
    static LogFile newClaim(Path directory, LogWriter writer) {
        String name =
                String.format(
                        "g%08d-j%s-s%d-a%d-x%08x.claim",
                        writer.generation(),
                        writer.jobId(),
                        writer.subtask(),
                        writer.attempt(),
                        ThreadLocalRandom.current().nextInt());
        return of(directory.resolve(name))
                .orElseThrow(() -> new IllegalArgumentException("Not a job id: " + writer.jobId()));
    }

    /** A segment of the writer that has this claim. */
    LogFile segment(long epochOfSegment, long numberOfSegment) {
        String name =
                String.format("%s-e%08d-n%06d.segment", writer, epochOfSegment, numberOfSegment);
        return of(path.resolveSibling(name)).orElseThrow();
    }

    Path path() {
        return path;
    }

    boolean isSegment() {
        return number >= 0;
    }

    boolean isOfSameWriter(LogFile other) {
        return writer.equals(other.writer);
    }

    long generation() {
        return generation;
    }

    long epoch() {
        return epoch;
    }

    long number() {
        return number;
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
