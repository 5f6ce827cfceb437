package pyflink.durable.log.file;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.annotation.Nullable;
import pyflink.durable.log.LogWriter;

/**
 * A file of the log, as its name tells. The names of a writer's files begin with {@code
 * g<generation>-j<job>-s<subtask>-a<attempt>-x<nonce>}, and end with
 *
 * <ul>
 *   <li>{@code .claim}: it may report appends as durable;
 *   <li>{@code .taken}: it may no more, a successor has renamed its claim;
 *   <li>{@code -n<number>-l<length>.sealed}: what of it counts, up to this length of its last
 *       segment;
 *   <li>{@code -e<epoch>-n<number>.segment}: entries. Names sort as these were appended.
 * </ul>
 *
 * <p>The nonce is random. Two writers never share a file, not even those of one attempt number
 * under two JobManagers.
 */
final class LogFile {

    enum Kind {
        CLAIM,
        TAKEN,
        SEALED,
        SEGMENT
    }

    private static final Pattern NAME =
            Pattern.compile(
                    "(?<writer>g(?<generation>\\d+)-j\\w+-s\\d+-a\\d+-x\\p{XDigit}+)"
                            + "(?:-e(?<epoch>\\d+))?(?:-n(?<number>\\d+))?(?:-l(?<length>\\d+))?"
                            + "\\.(?<kind>claim|taken|sealed|segment)");

    private final Path path;
    private final String writer;
    private final Kind kind;
    private final long generation;
    private final long epoch;
    private final long number;
    private final long length;

    private LogFile(Path path, Matcher name) {
        this.path = path;
        this.writer = name.group("writer");
        this.kind = Kind.valueOf(name.group("kind").toUpperCase(Locale.ROOT));
        this.generation = Long.parseLong(name.group("generation"));
        this.epoch = number(name.group("epoch"));
        this.number = number(name.group("number"));
        this.length = number(name.group("length"));
    }

    private static long number(@Nullable String digits) {
        return digits == null ? -1 : Long.parseLong(digits);
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
        return sibling("-e%08d-n%06d.segment", epochOfSegment, numberOfSegment);
    }

    /** What becomes of this claim when a successor takes it. */
    LogFile taken() {
        return sibling(".taken");
    }

    /** What becomes of this claim when it was taken, and found how much of its writer counts. */
    LogFile sealed(long lastSegment, long lengthOfLast) {
        return sibling("-n%06d-l%d.sealed", lastSegment, lengthOfLast);
    }

    private LogFile sibling(String ending, Object... numbers) {
        return of(path.resolveSibling(writer + String.format(ending, numbers))).orElseThrow();
    }

    Path path() {
        return path;
    }

    Kind kind() {
        return kind;
    }

    /** Names the writer; no other has this name. */
    String writer() {
        return writer;
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

    /** Of a writer that was sealed: how many bytes of a segment of it count. */
    long lengthOf(LogFile segment) {
        return segment.number < number ? Long.MAX_VALUE : segment.number == number ? length : 0;
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
