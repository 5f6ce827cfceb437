package pyflink.durable.value;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reads the pickles of plain values that the Python side writes: None, bool, int ({@link Long}, or
 * {@link BigInteger} if it is too large), float, str, bytes, list ({@link List}) and tuple (an
 * array of objects). Anything else in a pickle is an error: it makes no objects of classes that a
 * pickle names.
 */
final class PickleReader {

    private final byte[] pickle;
    private final ArrayList<Object> memo = new ArrayList<>();
    private Object[] stack = new Object[64];
    private int depth;
    private int[] marks = new int[8];
    private int markCount;
    private int at;

    private PickleReader(byte[] pickle) {
        this.pickle = pickle;
    }

    static Object read(byte[] pickle) {
        return new PickleReader(pickle).read();
    }

    private Object read() {
        while (true) {
            int opcode = next();
            if (opcode == Opcode.STOP) {
                return pop();
            }
            if (!atom(opcode) && !collection(opcode) && !bookkeeping(opcode)) {
                throw new IllegalStateException(
                        String.format("A pickle has operation 0x%02x at %d", opcode, at - 1));
            }
        }
    }

    private boolean bookkeeping(int opcode) {
        switch (opcode) {
            case Opcode.PROTO:
                at += 1;
                return true;
            case Opcode.FRAME:
                at += Long.BYTES;
                return true;
            case Opcode.MEMOIZE:
                memo.add(stack[depth - 1]);
                return true;
            case Opcode.BINGET:
                push(memo.get(next()));
                return true;
            case Opcode.LONG_BINGET:
                push(memo.get(length(Integer.BYTES)));
                return true;
            default:
                return false;
        }
    }

    private boolean atom(int opcode) {
        switch (opcode) {
            case Opcode.NONE:
                push(null);
                return true;
            case Opcode.NEWTRUE:
                push(Boolean.TRUE);
                return true;
            case Opcode.NEWFALSE:
                push(Boolean.FALSE);
                return true;
            case Opcode.BININT1:
                push((long) next());
                return true;
            case Opcode.BININT2:
                push(littleEndian(2));
                return true;
            case Opcode.BININT:
                push((long) (int) littleEndian(Integer.BYTES));
                return true;
            case Opcode.LONG1:
                push(integer(next()));
                return true;
            case Opcode.LONG4:
                push(integer(length(Integer.BYTES)));
                return true;
            case Opcode.BINFLOAT:
                push(Double.longBitsToDouble(Long.reverseBytes(littleEndian(Long.BYTES))));
                return true;
            case Opcode.SHORT_BINUNICODE:
                push(text(next()));
                return true;
            case Opcode.BINUNICODE:
                push(text(length(Integer.BYTES)));
                return true;
            case Opcode.BINUNICODE8:
                push(text(length(Long.BYTES)));
                return true;
            case Opcode.SHORT_BINBYTES:
                push(bytes(next()));
                return true;
            case Opcode.BINBYTES:
                push(bytes(length(Integer.BYTES)));
                return true;
            case Opcode.BINBYTES8:
                push(bytes(length(Long.BYTES)));
                return true;
            default:
                return false;
        }
    }

    private boolean collection(int opcode) {
        switch (opcode) {
            case Opcode.MARK:
                if (markCount == marks.length) {
                    marks = Arrays.copyOf(marks, 2 * markCount);
                }
                marks[markCount++] = depth;
                return true;
            case Opcode.EMPTY_TUPLE:
                push(popFrom(depth));
                return true;
            case Opcode.TUPLE1:
                push(popFrom(depth - 1));
                return true;
            case Opcode.TUPLE2:
                push(popFrom(depth - 2));
                return true;
            case Opcode.TUPLE3:
                push(popFrom(depth - 3));
                return true;
            case Opcode.TUPLE:
                push(popFrom(marks[--markCount]));
                return true;
            case Opcode.EMPTY_LIST:
                push(new ArrayList<>());
                return true;
            case Opcode.APPEND:
                Object item = pop();
                top().add(item);
                return true;
            case Opcode.APPENDS:
                Object[] items = popFrom(marks[--markCount]);
                top().addAll(Arrays.asList(items));
                return true;
            default:
                return false;
        }
    }

    // ------------------------------------------------------------------ the stack

    private void push(Object value) {
        if (depth == stack.length) {
            stack = Arrays.copyOf(stack, 2 * depth);
        }
        stack[depth++] = value;
    }

    private Object pop() {
        return stack[--depth];
    }

    private Object[] popFrom(int place) {
        Object[] popped = Arrays.copyOfRange(stack, place, depth);
        depth = place;
        return popped;
    }

    @SuppressWarnings("unchecked")
    private List<Object> top() {
        return (List<Object>) stack[depth - 1];
    }

    // ------------------------------------------------------------------ the bytes

    private int next() {
        return pickle[at++] & 0xFF;
    }

    private long littleEndian(int bytes) {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (long) next() << Byte.SIZE * i;
        }
        return value;
    }

    private int length(int bytes) {
        return Math.toIntExact(littleEndian(bytes));
    }

    private byte[] bytes(int length) {
        at += length;
        return Arrays.copyOfRange(pickle, at - length, at);
    }

    private Object integer(int length) {
        if (length <= Long.BYTES) {
            int unused = Long.SIZE - Byte.SIZE * length;
            return length == 0 ? 0L : littleEndian(length) << unused >> unused; // sign
        }
        byte[] bigEndian = new byte[length];
        for (int i = length - 1; i >= 0; i--) {
            bigEndian[i] = pickle[at++];
        }
        return new BigInteger(bigEndian);
    }

    private String text(int length) {
        String text = new String(pickle, at, length, StandardCharsets.UTF_8);
        at += length;
        // the decoder writes this in place of what it does not take for UTF-8
        return text.indexOf('\uFFFD') < 0 ? text : withSurrogates(at - length, at);
    }

    /** Python's strings may hold halves of surrogate pairs, which UTF-8 has no form for. */
    private String withSurrogates(int from, int to) {
        StringBuilder text = new StringBuilder(to - from);
        int i = from;
        while (i < to) {
            int first = pickle[i] & 0xFF;
            int length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
            int point = length == 1 ? first : first & 0x7F >> length;
            for (int more = 1; more < length; more++) {
                point = point << 6 | pickle[i + more] & 0x3F;
            }
            text.appendCodePoint(point);
            i += length;
        }
        return text.toString();
    }
}
