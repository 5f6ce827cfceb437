package pyflink.durable.value;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;

/**
 * Writes values in Python's pickle format, which Python reads many times faster than it takes them
 * one by one from the interpreter's bridge: that costs 0.2 microseconds for each string, and loses
 * the first character of one that begins with a byte order mark.
 */
final class PickleWriter {

    /** An array cannot be larger; a little less, as some virtual machines need a header. */
    private static final int LARGEST = Integer.MAX_VALUE - 16;

    private byte[] buffer = new byte[512];
    private int size;

    int size() {
        return size;
    }

    /** What was written, and begins anew. */
    byte[] take() {
        byte[] written = Arrays.copyOf(buffer, size);
        size = 0;
        return written;
    }

    void begin(byte[] prologue) {
        op(Opcode.PROTO);
        op(Opcode.PROTOCOL);
        raw(prologue, prologue.length);
    }

    void op(int opcode) {
        ensure(1);
        buffer[size++] = (byte) opcode;
    }

    // ------------------------------------------------------------------ numbers

    void none() {
        op(Opcode.NONE);
    }

    void bool(boolean value) {
        op(value ? Opcode.NEWTRUE : Opcode.NEWFALSE);
    }

    void integer(long value) {
        if (value == (int) value) {
            op(Opcode.BININT);
            littleEndian(value, Integer.BYTES);
        } else {
            op(Opcode.LONG1);
            op(Long.BYTES);
            littleEndian(value, Long.BYTES);
        }
    }

    void integer(BigInteger value) {
        if (value.bitLength() < Long.SIZE) {
            integer(value.longValue());
            return;
        }
        byte[] bigEndian = value.toByteArray();
        op(Opcode.LONG4);
        littleEndian(bigEndian.length, Integer.BYTES);
        ensure(bigEndian.length);
        for (int i = bigEndian.length - 1; i >= 0; i--) {
            buffer[size++] = bigEndian[i];
        }
    }

    void real(double value) {
        long bits = Double.doubleToRawLongBits(value);
        ensure(1 + Double.BYTES);
        buffer[size++] = (byte) Opcode.BINFLOAT;
        for (int shift = Long.SIZE - Byte.SIZE; shift >= 0; shift -= Byte.SIZE) {
            buffer[size++] = (byte) (bits >> shift);
        }
    }

    // ------------------------------------------------------------------ text and bytes

    void bytes(byte[] value) {
        op(Opcode.BINBYTES);
        littleEndian(value.length, Integer.BYTES);
        raw(value, value.length);
    }

    /** Half a surrogate pair stays what it is, as in Python's own pickles. */
    void text(String value) {
        int length = value.length();
        op(Opcode.BINUNICODE);
        int lengthAt = size;
        littleEndian(0, Integer.BYTES);
        ensure(3L * length);
        for (int i = 0; i < length; i++) {
            char c = value.charAt(i);
            if (c < 0x80) {
                buffer[size++] = (byte) c;
            } else if (Character.isHighSurrogate(c)
                    && i + 1 < length
                    && Character.isLowSurrogate(value.charAt(i + 1))) {
                codePoint(Character.toCodePoint(c, value.charAt(++i)));
            } else {
                codePoint(c);
            }
        }
        int end = size;
        size = lengthAt;
        littleEndian(end - lengthAt - Integer.BYTES, Integer.BYTES);
        size = end;
    }

    private void codePoint(int point) {
        if (point < 0x800) {
            buffer[size++] = (byte) (0xC0 | point >> 6);
        } else {
            if (point < 0x10000) {
                buffer[size++] = (byte) (0xE0 | point >> 12);
            } else {
                buffer[size++] = (byte) (0xF0 | point >> 18);
                buffer[size++] = (byte) (0x80 | point >> 12 & 0x3F);
            }
            buffer[size++] = (byte) (0x80 | point >> 6 & 0x3F);
        }
        buffer[size++] = (byte) (0x80 | point & 0x3F);
    }

    // ------------------------------------------------------------------ objects

    void beginList() {
        op(Opcode.EMPTY_LIST);
        op(Opcode.MARK);
    }

    void endList() {
        op(Opcode.APPENDS);
    }

    /** A tuple of texts. */
    void texts(List<String> values) {
        op(Opcode.MARK);
        values.forEach(this::text);
        op(Opcode.TUPLE);
    }

    /** The class or function that {@link #put} has kept. */
    void get(int place) {
        memo(Opcode.BINGET, Opcode.LONG_BINGET, place);
    }

    /** Keeps what was written last, which is not part of a value, for {@link #get}. */
    void put(int place) {
        memo(Opcode.BINPUT, Opcode.LONG_BINPUT, place);
        op(Opcode.POP);
    }

    private void memo(int shortForm, int longForm, int place) {
        boolean isShort = place < 0x100;
        op(isShort ? shortForm : longForm);
        littleEndian(place, isShort ? 1 : Integer.BYTES);
    }

    /** Names are of ASCII letters. */
    void global(String module, String name) {
        op(Opcode.GLOBAL);
        for (char c : (module + "\n" + name + "\n").toCharArray()) {
            op(c);
        }
    }

    // ------------------------------------------------------------------ the buffer

    private void littleEndian(long value, int bytes) {
        ensure(bytes);
        for (int i = 0; i < bytes; i++) {
            buffer[size++] = (byte) (value >> Byte.SIZE * i);
        }
    }

    private void raw(byte[] bytes, int length) {
        ensure(length);
        System.arraycopy(bytes, 0, buffer, size, length);
        size += length;
    }

    private void ensure(long more) {
        long needed = size + more;
        if (needed <= buffer.length) {
            return;
        }
        if (needed > LARGEST) {
            throw new ValueException("it takes more than 2 GB");
        }
        buffer = Arrays.copyOf(buffer, (int) Math.min(LARGEST, Math.max(needed, 2L * size)));
    }
}
