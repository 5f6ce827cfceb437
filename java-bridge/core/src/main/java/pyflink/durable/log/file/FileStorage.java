package pyflink.durable.log.file;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.LogStorage;
import pyflink.durable.log.LogWriter;
import pyflink.durable.log.SerializedEntry;

/**
 * Keeps entries in segments: files that one writer fills in one epoch.
 *
 * <p><b>Claims.</b> A writer owns a small file, its claim. The next attempt deletes the claims of
 * the writers that it succeeds, then reads their segments. A writer forces a group to the disk,
 * then looks whether its claim is still there, then reports success. So of an old attempt that
 * still runs (a zombie), an append either is in what its successor reads, or fails: no call starts
 * that the successor does not know of. On a shared disk this holds as far as a deletion is seen by
 * the other machines at once; NFS, for one, must be mounted with {@code actimeo=0} for that.
 *
 * <p><b>Deletion.</b> When a checkpoint completes, this writer deletes its own segments of earlier
 * epochs and all segments that it read at its start. It deletes no others: a job that runs here by
 * mistake, without the state it should have had, destroys nothing.
 */
final class FileStorage implements LogStorage {

    private static final Logger LOG = LoggerFactory.getLogger(FileStorage.class);

    private static final int BUFFER_BYTES = 256 << 10;

    private final LogDirectory directory;
    private final int segmentSize;
    private final CallLogContext context;
    private final LogWriter writer;
    private final LogFile claim;
    private final List<LogFile> read = new ArrayList<>();
    private final List<LogFile> filled = new ArrayList<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);

    @Nullable private LogFile segment;
    @Nullable private FrameWriter frames;
    private long segmentNumber;

    private FileStorage(
            LogDirectory directory,
            int segmentSize,
            CallLogContext context,
            LogWriter writer,
            LogFile claim) {
        this.directory = directory;
        this.segmentSize = segmentSize;
        this.context = context;
        this.writer = writer;
        this.claim = claim;
    }

    /** Takes the log over from earlier attempts. */
    static FileStorage open(Path parent, int segmentSize, CallLogContext context)
            throws IOException {
        LogDirectory directory = LogDirectory.open(parent, context);
        LogWriter writer = context.writer(directory.nextGeneration());
        LogFile claim = LogFile.newClaim(directory.path(), writer);
        FileStorage storage = new FileStorage(directory, segmentSize, context, writer, claim);
        try {
            // The own claim comes first: of two that open at once, neither overlooks the other.
            storage.writeClaim();
            storage.takeClaims();
            return storage;
        } catch (IOException | RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    @Override
    public String id() {
        return directory.id();
    }

    private void writeClaim() throws IOException {
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
        for (LogFile other : directory.claims()) {
            Optional<FileHeader> header =
                    other.isOfSameWriter(claim) ? Optional.empty() : headerOf(other);
            if (header.isPresent() && isToSucceed(header.get())) {
                LOG.info("{} takes the call log over from {}", context, header.get().writer());
                Files.deleteIfExists(other.path());
            }
        }
    }

    private boolean isToSucceed(FileHeader header) {
        return context.isOfSameHistory(header.writer()) && header.overlaps(context.keyGroups());
    }

    private FileHeader header(long epoch) {
        return new FileHeader(context.operatorUid(), writer, context.keyGroups(), epoch);
    }

    private Optional<FileHeader> headerOf(LogFile file) throws IOException {
        try (FrameReader reader = new FrameReader(file)) {
            return headerOf(file, reader);
        } catch (NoSuchFileException e) {
            // Its owner has just closed its log, or deleted what a checkpoint covers.
            return Optional.empty();
        }
    }

    private Optional<FileHeader> headerOf(LogFile file, FrameReader reader) throws IOException {
        Optional<List<byte[]>> first = reader.next();
        if (first.isEmpty()) {
            return Optional.empty();
        }
        FileHeader header = FileHeader.fromBytes(file, first.get().get(0));
        header.requireOperator(context.operatorUid(), file);
        return Optional.of(header);
    }

    // ------------------------------------------------------------------ recovery

    @Override
    public void recover(Consumer<LogEntry> receiver) throws IOException {
        TreeSet<String> others = new TreeSet<>();
        for (LogFile each : directory.segments()) {
            Optional<FileHeader> header = headerOf(each);
            if (header.isEmpty()) {
                continue;
            }
            if (isToSucceed(header.get())) {
                read.add(each);
                if (context.takes(header.get().writer(), header.get().epoch())) {
                    recover(each, receiver);
                }
            } else if (!context.isOfSameHistory(header.get().writer())) {
                others.add(header.get().writer().jobId());
            }
        }
        if (!others.isEmpty()) {
            LOG.info(
                    "{} holds segments of other jobs, which {} does not take: {}. They stay until"
                            + " you delete them.",
                    directory.path(),
                    context,
                    others);
        }
    }

    private void recover(LogFile file, Consumer<LogEntry> receiver) throws IOException {
        try (FrameReader reader = new FrameReader(file)) {
            headerOf(file, reader);
            for (Optional<List<byte[]>> group = reader.next();
                    group.isPresent();
                    group = reader.next()) {
                for (byte[] each : group.get()) {
                    LogEntry entry = LogEntrySerializer.fromBytes(each);
                    if (context.keyGroups().contains(entry.keyGroup())) {
                        receiver.accept(entry);
                    }
                }
            }
        }
    }

    // ------------------------------------------------------------------ writing

    @Override
    public void write(long epoch, List<? extends SerializedEntry> group) throws IOException {
        List<byte[]> records =
                group.stream().map(SerializedEntry::bytes).collect(Collectors.toList());
        try {
            segmentFor(epoch).write(records);
        } catch (IOException e) {
            throw new IOException(
                    String.format(
                            "The call log cannot write to %s: %s. A call that waits for its start"
                                    + " does not start; one that has ended is in doubt. Look after"
                                    + " the disk; the job goes on from its last checkpoint.",
                            directory.path(), e.getMessage()),
                    e);
        }
        requireClaim();
    }

    private FrameWriter segmentFor(long epoch) throws IOException {
        if (frames != null && (segment.epoch() != epoch || frames.size() >= segmentSize)) {
            endSegment();
        }
        if (frames == null) {
            segment = claim.segment(epoch, segmentNumber++);
            frames = new FrameWriter(segment.path(), buffer);
            frames.write(List.of(header(epoch).toBytes()));
            directory.force();
        }
        return frames;
    }

    private void endSegment() throws IOException {
        FrameWriter ended = frames;
        frames = null;
        if (ended != null) {
            filled.add(segment);
            ended.close();
        }
    }

    private void requireClaim() throws IOException {
        if (!Files.exists(claim.path())) {
            throw new IOException(
                    String.format(
                            "Another attempt has taken over the call log of %s in %s, so this one"
                                    + " may not start calls any more. If this is not an old"
                                    + " attempt: a second job is using the same directory and uid,"
                                    + " started from this job's state; give it a directory of its"
                                    + " own.",
                            context, directory.path()));
        }
    }

    @Override
    public void deleteCovered(long checkpointId) throws IOException {
        if (segment != null && segment.epoch() < checkpointId) {
            endSegment();
        }
        delete(read, file -> true);
        delete(filled, file -> file.epoch() < checkpointId);
    }

    private static void delete(List<LogFile> files, Predicate<LogFile> covered) throws IOException {
        for (Iterator<LogFile> each = files.iterator(); each.hasNext(); ) {
            LogFile file = each.next();
            if (covered.test(file)) {
                Files.deleteIfExists(file.path());
                each.remove();
            }
        }
    }

    @Override
    public int maxEntryBytes() {
        return Integer.MAX_VALUE / 2;
    }

    @Override
    public void close() throws IOException {
        try (FrameWriter open = frames) {
            Files.deleteIfExists(claim.path());
        }
    }
}
