package pyflink.durable.value;

import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple;
import org.apache.flink.api.java.typeutils.TupleTypeInfoBase;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.types.Row;

/**
 * Finds the keys that Python is to be asked about. Flink compares pickles byte by byte: two of
 * equal dicts or floats are two keys, and their elements would not wait for each other.
 */
public final class PickledKeys {

    private final TypeInformation<?> keyType;
    private final boolean arePickled;

    public PickledKeys(TypeInformation<?> keyType) {
        this.keyType = keyType;
        this.arePickled = hasPickles(keyType);
    }

    private static boolean hasPickles(TypeInformation<?> type) {
        if (type instanceof TupleTypeInfoBase) {
            for (int i = 0; i < type.getArity(); i++) {
                if (hasPickles(((TupleTypeInfoBase<?>) type).getTypeAt(i))) {
                    return true;
                }
            }
        }
        return type instanceof PickledByteArrayTypeInfo;
    }

    /**
     * Whether all pickles in a key are of texts, whole numbers, bytes, and tuples of these. Python
     * need not be asked about such a key.
     */
    public boolean arePlain(Object key) {
        return !arePickled || arePlain(keyType, key);
    }

    private static boolean arePlain(TypeInformation<?> type, @Nullable Object part) {
        if (part == null) {
            return true;
        }
        if (type instanceof PickledByteArrayTypeInfo) {
            return isPlain((byte[]) part);
        }
        if (type instanceof TupleTypeInfoBase) {
            for (int i = 0; i < type.getArity(); i++) {
                Object field =
                        part instanceof Row ? ((Row) part).getField(i) : ((Tuple) part).getField(i);
                if (!arePlain(((TupleTypeInfoBase<?>) type).getTypeAt(i), field)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean isPlain(byte[] pickle) {
        int at = 0;
        while (at < pickle.length) {
            int opcode = pickle[at++] & 0xFF;
            if (opcode == Opcode.STOP) {
                return true;
            }
            int more = argument(opcode, pickle, at);
            if (more < 0) {
                return false;
            }
            at += more;
        }
        return false;
    }

    /** The bytes behind an operation; less than 0 for one that other objects need. */
    private static int argument(int opcode, byte[] pickle, int at) {
        switch (opcode) {
            case Opcode.NEWTRUE:
            case Opcode.NEWFALSE:
            case Opcode.MARK:
            case Opcode.EMPTY_TUPLE:
            case Opcode.TUPLE1:
            case Opcode.TUPLE2:
            case Opcode.TUPLE3:
            case Opcode.TUPLE:
            case Opcode.MEMOIZE:
                return 0;
            case Opcode.PROTO:
            case Opcode.BININT1:
            case Opcode.BINGET:
            case Opcode.BINPUT:
                return 1;
            case Opcode.BININT2:
                return 2;
            case Opcode.BININT:
            case Opcode.LONG_BINGET:
            case Opcode.LONG_BINPUT:
                return Integer.BYTES;
            case Opcode.FRAME:
                return Long.BYTES;
            case Opcode.LONG1:
            case Opcode.SHORT_BINUNICODE:
            case Opcode.SHORT_BINBYTES:
                return 1 + (pickle[at] & 0xFF);
            case Opcode.BINUNICODE:
            case Opcode.BINBYTES:
                return Integer.BYTES
                        + (pickle[at] & 0xFF
                                | (pickle[at + 1] & 0xFF) << 8
                                | (pickle[at + 2] & 0xFF) << 16
                                | pickle[at + 3] << 24);
            default:
                return -1;
        }
    }
}
