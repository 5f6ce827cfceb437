package pyflink.durable.log.file;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads what a {@link FrameWriter} has written, up to a torn tail. */
final class FrameReader implements Closeable {

    private static final Logger LOG = LoggerFactory.getLogger(FrameReader.class);

    private final LogFile file;
    private final FileChannel channel;
    private final long limit;
    private long position;

    FrameReader(LogFile file) throws IOException {
        this(file, Long.MAX_VALUE);
    }

    /**
     * @param limit how many bytes of the file count
     */
    FrameReader(LogFile file, long limit) throws IOException {
        this.file = file;
        this.limit = limit;
        this.channel = FileChannel.open(file.path(), StandardOpenOption.READ);
    }

    /**
     * The records of the next frame; empty at the end.
     *
     * @throws IOException if a frame that was once durable is damaged
     */
    Optional<List<byte[]>> next() throws IOException {
        long end = Math.min(channel.size(), limit);
        if (position == end) {
            return Optional.empty();
        }
        ByteBuffer content = contentAt(position, end);
        if (content == null) {
            requireTornTail(end);
            position = end;
            return Optional.empty();
        }
        position += FrameWriter.PREFIX_BYTES + content.remaining();
        return Optional.of(records(content));
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private static List<byte[]> records(ByteBuffer content) {
        List<byte[]> records = new ArrayList<>();
        while (content.hasRemaining()) {
            byte[] each = new byte[content.getInt()];
            content.get(each);
            records.add(each);
        }
        return records;
    }

    /** The content of the frame at a position, or null if there is no valid frame. */
    private ByteBuffer contentAt(long start, long end) throws IOException {
        if (end - start < FrameWriter.PREFIX_BYTES) {
            return null;
        }
        ByteBuffer prefix = read(start, FrameWriter.PREFIX_BYTES);
        int magic = prefix.getInt();
        int length = prefix.getInt();
        int checksum = prefix.getInt();
        if (magic != FrameWriter.MAGIC
                || length < 0
                || length > end - start - FrameWriter.PREFIX_BYTES) {
            return null;
        }
        ByteBuffer content = read(start + FrameWriter.PREFIX_BYTES, length);
        CRC32C crc = new CRC32C();
        FrameWriter.updateInt(crc, length);
        crc.update(content.duplicate());
        return checksum == (int) crc.getValue() ? content : null;
    }

    private ByteBuffer read(long start, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, start + buffer.position()) < 0) {
                throw new IOException(file + " has become shorter while it was read");
            }
        }
        return buffer.flip();
    }

    private void requireTornTail(long end) throws IOException {
        for (long start = nextMagic(position + 1, end); start >= 0; ) {
            if (contentAt(start, end) != null) {
                throw new IOException(
                        String.format(
                                "%s is damaged at byte %d, and has valid entries from byte %d on:"
                                        + " the damage is not a write that a crash cut off. Entries"
                                        + " are lost, and the calls they tell of may have happened."
                                        + " Bring the file back from a copy; or check the outside"
                                        + " systems for calls made after the last checkpoint, then"
                                        + " move the file away and start the job again.",
                                file, position, start));
            }
            start = nextMagic(start + 1, end);
        }
        LOG.info(
                "{} ends with a write that was cut off: {} bytes from byte {} on were never"
                        + " reported as durable and are left out",
                file,
                end - position,
                position);
    }

    private long nextMagic(long from, long end) throws IOException {
        int window = 1 << 16;
        for (long start = from; end - start >= Integer.BYTES; start += window) {
            // windows overlap by what a magic number may reach over their border
            int length = (int) Math.min(window + Integer.BYTES - 1, end - start);
            ByteBuffer bytes = read(start, length);
            for (int i = 0; i + Integer.BYTES <= length; i++) {
                if (bytes.getInt(i) == FrameWriter.MAGIC) {
                    return start + i;
                }
            }
        }
        return -1;
    }
}
