package pyflink.durable.log.file;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogWriter;

/**
 * Makes an attempt the one writer of its key groups, also where an old attempt still runs: a
 * zombie, which a garbage collection or a lost connection has stopped, and which goes on when its
 * successor has long been at work.
 *
 * <p>A writer owns a small file, its claim. A successor takes it by giving it another name, then
 * <em>seals</em> its writer: writes down, again by a name, what of its segments counts. The rules,
 * and the failure each prevents:
 *
 * <ul>
 *   <li>A writer forces a group to the disk, then looks whether its claim is still there, then
 *       reports success. So of a zombie an append either is in what its successor reads, or fails:
 *       no call starts that the successor does not know of.
 *   <li>What a zombie appends when it was sealed stays in its segments, and readers leave it out.
 *       It was never reported as durable; but a late PENDING, or a call on another path than its
 *       successor's, would be in the journal that a third attempt restores.
 *   <li>The first seal of a writer counts, for all. Siblings after a rescaling read one old segment
 *       at different times; what one of them took for an outcome must not be missing for the next.
 *   <li>The own claim comes before the look at those of others: of two that open at once, neither
 *       overlooks the other.
 *   <li>The generation is that of no writer that was succeeded, nor less: else of two that chose it
 *       at the same time, the later's entries could come before the earlier's.
 * </ul>
 *
 * <p>On a shared disk this holds as far as a new name is seen by the other machines at once; NFS,
 * for one, must be mounted with {@code actimeo=0} for that.
 */
final class Succession {

    private static final Logger LOG = LoggerFactory.getLogger(Succession.class);

    private final LogDirectory directory;
    private final CallLogContext context;
    private final LogWriter writer;
    private final LogFile claim;

    /** By writer, what of it counts. */
    private final Map<String, LogFile> seals = new HashMap<>();

    private final List<LogFile> segments = new ArrayList<>();
    private final TreeSet<String> otherJobs = new TreeSet<>();

    private Succession(LogDirectory directory, CallLogContext context, long generation) {
        this.directory = directory;
        this.context = context;
        this.writer = context.writer(generation);
        this.claim = LogFile.newClaim(directory.path(), writer);
    }

    /** Takes the log over from earlier attempts. */
    static Succession begin(LogDirectory directory, CallLogContext context, ByteBuffer buffer)
            throws IOException {
        return begin(directory, context, directory.nextGeneration(), buffer);
    }

    /**
     * @param chosen the generation, if no writer that is succeeded turns out to have it
     */
    static Succession begin(
            LogDirectory directory, CallLogContext context, long chosen, ByteBuffer buffer)
            throws IOException {
        for (long generation = chosen; ; generation = directory.nextGeneration()) {
            Succession begun = new Succession(directory, context, generation);
            try {
                begun.writeClaim(buffer);
                begun.takeClaims();
                begun.sealTaken();
                begun.readSeals();
                directory.force();
                begun.findSegments();
            } catch (IOException | RuntimeException e) {
                begun.end();
                throw e;
            }
            if (begun.isNewest()) {
                begun.tellOfOtherJobs();
                return begun;
            }
            begun.end();
        }
    }

    LogFile claim() {
        return claim;
    }

    /** Whether no other attempt has taken over. */
    boolean lasts() {
        return Files.exists(claim.path());
    }

    /** The segments of the writers that were succeeded, in the order of their entries. */
    List<LogFile> segments() {
        return segments;
    }

    /** What those of the segments that have been sealed were sealed by. */
    Iterable<LogFile> seals() {
        return seals.values();
    }

    /** How many bytes of a segment count. */
    long lengthOf(LogFile segment) {
        LogFile seal = seals.get(segment.writer());
        return seal == null ? Long.MAX_VALUE : seal.lengthOf(segment);
    }

    /** Gives the claim back. */
    void end() throws IOException {
        Files.deleteIfExists(claim.path());
    }

    /** The header of a file that this writer makes. */
    FileHeader header(long epoch) {
        return new FileHeader(context.operatorUid(), writer, context.keyGroups(), epoch);
    }

    /** The header of a file; empty if that has none yet, or is gone. */
    Optional<FileHeader> headerOf(LogFile file) throws IOException {
        try (FrameReader reader = new FrameReader(file)) {
            Optional<List<byte[]>> first = reader.next();
            if (first.isEmpty()) {
                return Optional.empty();
            }
            FileHeader header = FileHeader.fromBytes(file, first.get().get(0));
            header.requireOperator(context.operatorUid(), file);
            return Optional.of(header);
        } catch (NoSuchFileException e) {
            // Its owner has closed its log, a sibling has taken it, or a checkpoint covers it.
            return Optional.empty();
        }
    }

    // ------------------------------------------------------------------ the steps

    private void writeClaim(ByteBuffer buffer) throws IOException {
        // Renamed into place: whoever sees a claim can read it.
        Path partial =
                claim.path().resolveSibling(claim.path().getFileName() + LogDirectory.PARTIAL);
        try {
            try (FrameWriter file = new FrameWriter(partial, buffer)) {
                file.write(List.of(header(context.firstEpoch()).toBytes()));
            }
            Files.move(partial, claim.path(), StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(partial);
        }
        directory.force();
    }

    private void takeClaims() throws IOException {
        for (LogFile other : toSucceed(LogFile.Kind.CLAIM)) {
            if (!other.writer().equals(claim.writer()) && rename(other, other.taken())) {
                LOG.info("{} takes the call log over from {}", context, other.writer());
            }
        }
    }

    private void sealTaken() throws IOException {
        for (LogFile taken : toSucceed(LogFile.Kind.TAKEN)) {
            long last = 0;
            long length = 0;
            for (LogFile segment : directory.files(LogFile.Kind.SEGMENT)) {
                if (segment.writer().equals(taken.writer())) {
                    last = segment.number();
                    length = sizeOf(segment);
                }
            }
            rename(taken, taken.sealed(last, length));
        }
    }

    private static long sizeOf(LogFile segment) throws IOException {
        try {
            return Files.size(segment.path());
        } catch (NoSuchFileException e) {
            return 0; // a checkpoint covers it
        }
    }

    private void readSeals() throws IOException {
        for (LogFile seal : toSucceed(LogFile.Kind.SEALED)) {
            seals.put(seal.writer(), seal);
        }
    }

    private void findSegments() throws IOException {
        for (LogFile each : directory.files(LogFile.Kind.SEGMENT)) {
            Optional<FileHeader> header = headerOf(each);
            if (header.isPresent() && isToSucceed(header.get())) {
                segments.add(each);
            } else if (header.isPresent() && !context.isOfSameHistory(header.get().writer())) {
                otherJobs.add(header.get().writer().jobId());
            }
        }
    }

    private boolean isNewest() {
        return Stream.concat(seals.values().stream(), segments.stream())
                .allMatch(each -> each.generation() < writer.generation());
    }

    private List<LogFile> toSucceed(LogFile.Kind kind) throws IOException {
        List<LogFile> found = new ArrayList<>();
        for (LogFile each : directory.files(kind)) {
            if (headerOf(each).filter(this::isToSucceed).isPresent()) {
                found.add(each);
            }
        }
        return found;
    }

    private boolean isToSucceed(FileHeader header) {
        return context.isOfSameHistory(header.writer()) && header.overlaps(context.keyGroups());
    }

    /** Gives a file another name, once: false if another one has done it. */
    private static boolean rename(LogFile from, LogFile to) throws IOException {
        try {
            Files.move(from.path(), to.path(), StandardCopyOption.ATOMIC_MOVE);
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private void tellOfOtherJobs() {
        if (!otherJobs.isEmpty()) {
            LOG.info(
                    "{} holds segments of other jobs, which {} does not take: {}. They stay until"
                            + " you delete them.",
                    directory.path(),
                    context,
                    otherJobs);
        }
    }
}
