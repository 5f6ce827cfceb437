package pyflink.durable.log.file;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
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
import pyflink.durable.log.SerializedEntry;

/**
 * Keeps entries in segments: files that one writer fills in one epoch. Old attempts that still run
 * are shut out by {@link Succession}.
 *
 * <p><b>Deletion.</b> When a checkpoint completes, this writer deletes its own segments of earlier
 * epochs and all files of the writers that it has succeeded. It deletes no others: a job that runs
 * here by mistake, without the state it should have had, destroys nothing.
 */
final class FileStorage implements LogStorage {

    private static final Logger LOG = LoggerFactory.getLogger(FileStorage.class);

    private static final int BUFFER_BYTES = 256 << 10;

    private final LogDirectory directory;
    private final int segmentSize;
    private final CallLogContext context;
    private final Succession succession;
    private final List<LogFile> read = new ArrayList<>();
    private final List<LogFile> filled = new ArrayList<>();
    private final ByteBuffer buffer;

    @Nullable private LogFile segment;
    @Nullable private FrameWriter frames;
    private long segmentNumber;

    private FileStorage(
            LogDirectory directory,
            int segmentSize,
            CallLogContext context,
            Succession succession,
            ByteBuffer buffer) {
        this.directory = directory;
        this.segmentSize = segmentSize;
        this.context = context;
        this.succession = succession;
        this.buffer = buffer;
    }

    /** Takes the log over from earlier attempts. */
    static FileStorage open(Path parent, int segmentSize, CallLogContext context)
            throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
        LogDirectory directory = LogDirectory.open(parent, context);
        Succession succession = Succession.begin(directory, context, buffer);
        return new FileStorage(directory, segmentSize, context, succession, buffer);
    }

    @Override
    public String id() {
        return directory.id();
    }

    // ------------------------------------------------------------------ recovery

    @Override
    public void recover(Consumer<LogEntry> receiver) throws IOException {
        for (LogFile each : succession.segments()) {
            read.add(each);
            recover(each, receiver);
        }
        succession.seals().forEach(read::add); // behind what they are of
    }

    private void recover(LogFile file, Consumer<LogEntry> receiver) throws IOException {
        long length = succession.lengthOf(file);
        try (FrameReader reader = new FrameReader(file, length)) {
            Optional<List<byte[]>> group = reader.next();
            if (group.isPresent() && takes(FileHeader.fromBytes(file, group.get().get(0)))) {
                for (group = reader.next(); group.isPresent(); group = reader.next()) {
                    for (byte[] each : group.get()) {
                        LogEntry entry = LogEntrySerializer.fromBytes(each);
                        if (context.keyGroups().contains(entry.keyGroup())) {
                            receiver.accept(entry);
                        }
                    }
                }
            }
        } catch (NoSuchFileException e) {
            return; // a checkpoint covers it, as an old attempt was told only now
        }
        tellOfLate(file, length);
    }

    private boolean takes(FileHeader header) {
        return context.takes(header.writer(), header.epoch());
    }

    private void tellOfLate(LogFile file, long length) throws IOException {
        if (Files.exists(file.path()) && Files.size(file.path()) > length) {
            LOG.warn(
                    "{} leaves out what an old attempt has appended to {} from byte {} on, when"
                            + " another one had taken over. These appends failed: no call has"
                            + " started by them.",
                    context,
                    file,
                    length);
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
            segment = succession.claim().segment(epoch, segmentNumber++);
            frames = new FrameWriter(segment.path(), buffer);
            frames.write(List.of(succession.header(epoch).toBytes()));
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
        if (!succession.lasts()) {
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
            succession.end();
        }
    }
}
