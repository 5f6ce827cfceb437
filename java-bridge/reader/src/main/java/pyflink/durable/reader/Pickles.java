package pyflink.durable.reader;

import java.math.BigDecimal;
import java.sql.Date;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.SqlTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple;
import org.apache.flink.api.java.typeutils.ListTypeInfo;
import org.apache.flink.api.java.typeutils.MapTypeInfo;
import org.apache.flink.api.java.typeutils.ObjectArrayTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.types.Row;
import pyflink.durable.value.ValueType;

/**
 * The pickles of values whose types nobody has told: each value is read as what it is. The job
 * would know that bytes are a Python object; here they are one if they look like it.
 */
final class Pickles {

    private static final int PROTO = 0x80;
    private static final int HIGHEST_PROTOCOL = 5;
    private static final int STOP = '.';

    private static final Map<Class<?>, TypeInformation<?>> TIMES =
            Map.of(
                    Date.class, SqlTimeTypeInfo.DATE,
                    Time.class, SqlTimeTypeInfo.TIME,
                    Timestamp.class, SqlTimeTypeInfo.TIMESTAMP,
                    LocalDate.class, LocalTimeTypeInfo.LOCAL_DATE,
                    LocalTime.class, LocalTimeTypeInfo.LOCAL_TIME,
                    LocalDateTime.class, LocalTimeTypeInfo.LOCAL_DATE_TIME,
                    Instant.class, BasicTypeInfo.INSTANT_TYPE_INFO,
                    BigDecimal.class, BasicTypeInfo.BIG_DEC_TYPE_INFO);

    private final Map<TypeInformation<?>, ValueType<Object>> types = new HashMap<>();

    /** The pickle of a value; null if Python has no such value. */
    @Nullable
    @SuppressWarnings("unchecked")
    byte[] of(@Nullable Object value) {
        if (value instanceof byte[] && isPickle((byte[]) value)) {
            return (byte[]) value;
        }
        try {
            return types.computeIfAbsent(
                            typeOf(value), type -> ValueType.of((TypeInformation<Object>) type))
                    .pickle(value);
        } catch (RuntimeException e) { // a type or a value that PyFlink has no counterpart of
            return null;
        }
    }

    private static boolean isPickle(byte[] bytes) {
        return bytes.length > 2
                && (bytes[0] & 0xFF) == PROTO
                && bytes[1] <= HIGHEST_PROTOCOL
                && bytes[bytes.length - 1] == STOP;
    }

    private static TypeInformation<?> typeOf(@Nullable Object value) {
        if (value == null) {
            return BasicTypeInfo.STRING_TYPE_INFO; // any does
        }
        if (value instanceof byte[]) {
            return isPickle((byte[]) value)
                    ? PickledByteArrayTypeInfo.PICKLED_BYTE_ARRAY_TYPE_INFO
                    : PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
        }
        if (value instanceof Row) {
            return rowType((Row) value);
        }
        if (value instanceof Tuple) {
            Tuple tuple = (Tuple) value;
            TypeInformation<?>[] fields = new TypeInformation<?>[tuple.getArity()];
            for (int i = 0; i < fields.length; i++) {
                fields[i] = typeOf(tuple.getField(i));
            }
            return new TupleTypeInfo<>(fields);
        }
        if (value instanceof List) {
            return new ListTypeInfo<>(typeOf(any((List<?>) value)));
        }
        if (value instanceof Map) {
            Map<?, ?> map = (Map<?, ?>) value;
            return new MapTypeInfo<>(typeOf(any(map.keySet())), typeOf(any(map.values())));
        }
        TypeInformation<?> time = TIMES.get(value.getClass());
        if (time != null) {
            return time;
        }
        if (value instanceof Object[]) {
            return ObjectArrayTypeInfo.getInfoFor(
                    value.getClass(), typeOf(any(List.of((Object[]) value))));
        }
        return value.getClass().isArray()
                ? PrimitiveArrayTypeInfo.getInfoFor(value.getClass())
                : BasicTypeInfo.getInfoFor(value.getClass());
    }

    private static TypeInformation<?> rowType(Row row) {
        TypeInformation<?>[] fields = new TypeInformation<?>[row.getArity()];
        for (int i = 0; i < fields.length; i++) {
            fields[i] = typeOf(row.getField(i));
        }
        Set<String> names = row.getFieldNames(true);
        return names == null
                ? new RowTypeInfo(fields)
                : new RowTypeInfo(fields, names.toArray(new String[0]));
    }

    @Nullable
    private static Object any(Iterable<?> values) {
        for (Object value : values) {
            if (value != null) {
                return value;
            }
        }
        return null;
    }
}
