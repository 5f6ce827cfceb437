package pyflink.durable.log.file;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * Writes a file of frames. A frame is {@code magic, length, CRC32C of length and content, content};
 * the content is a sequence of records, each its length and its bytes.
 *
 * <p>One frame is one group: it is forced to the disk before the next one is written. Hence a
 * damaged frame with nothing valid behind it may be the work of a crash, and was never reported as
 * durable; a damaged frame with a valid one behind it was durable once, and something has destroyed
 * it since. {@link FrameReader} tells the two apart. The checksum covers the length, so that a tail
 * of zeros is no frame.
 */
final class FrameWriter implements Closeable {

    static final int MAGIC = 0x5044_4c46;
    static final int PREFIX_BYTES = 12;

    private final FileChannel channel;
    private final ByteBuffer buffer;
    private long size;

    /**
     * @param buffer direct and reused, so that entries of any size need no memory of their own
     */
    FrameWriter(Path path, ByteBuffer buffer) throws IOException {
        this.channel =
                FileChannel.open(
                        path,
                        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                        OwnerOnly.file(path));
        this.buffer = buffer;
    }

    /** Writes the records as one frame; they are durable when this returns. */
    void write(List<byte[]> records) throws IOException {
        int length = 0;
        for (byte[] each : records) {
            length = Math.addExact(length, Integer.BYTES + each.length);
        }
        buffer.clear();
        buffer.putInt(MAGIC).putInt(length).putInt(checksum(length, records));
        for (byte[] each : records) {
            putInt(each.length);
            put(each);
        }
        flush();
        channel.force(false);
        size += PREFIX_BYTES + length;
    }

    long size() {
        return size;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private void putInt(int value) throws IOException {
        if (buffer.remaining() < Integer.BYTES) {
            flush();
        }
        buffer.putInt(value);
    }

    private void put(byte[] bytes) throws IOException {
        int done = 0;
        while (done < bytes.length) {
            if (!buffer.hasRemaining()) {
                flush();
            }
            int part = Math.min(bytes.length - done, buffer.remaining());
            buffer.put(bytes, done, part);
            done += part;
        }
    }

    private void flush() throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        buffer.clear();
    }

    private static int checksum(int length, List<byte[]> records) {
        CRC32C crc = new CRC32C();
        updateInt(crc, length);
        for (byte[] each : records) {
            updateInt(crc, each.length);
            crc.update(each, 0, each.length);
        }
        return (int) crc.getValue();
    }

    static void updateInt(CRC32C crc, int value) {
        crc.update(value >>> 24);
        crc.update(value >>> 16);
        crc.update(value >>> 8);
        crc.update(value);
    }
}
