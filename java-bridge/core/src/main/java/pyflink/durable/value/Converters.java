package pyflink.durable.value;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.SqlTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ListTypeInfo;
import org.apache.flink.api.java.typeutils.MapTypeInfo;
import org.apache.flink.api.java.typeutils.ObjectArrayTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.table.runtime.typeutils.ExternalTypeInfo;
import org.apache.flink.table.types.utils.LegacyTypeInfoDataTypeConverter;

/**
 * Chooses the converters of a type. What a value looks like in Python is what PyFlink's own
 * operators show in process mode, with its coders; not all of that agrees with its thread mode.
 */
final class Converters {

    private static final Map<TypeInformation<?>, Function<Prologue, Converter<?>>> LEAVES =
            Map.ofEntries(
                    Map.entry(BasicTypeInfo.BOOLEAN_TYPE_INFO, p -> BasicConverter.bool()),
                    Map.entry(BasicTypeInfo.BYTE_TYPE_INFO, p -> BasicConverter.byteNumber()),
                    Map.entry(BasicTypeInfo.SHORT_TYPE_INFO, p -> BasicConverter.shortNumber()),
                    Map.entry(BasicTypeInfo.INT_TYPE_INFO, p -> BasicConverter.intNumber()),
                    Map.entry(BasicTypeInfo.LONG_TYPE_INFO, p -> BasicConverter.longNumber()),
                    Map.entry(BasicTypeInfo.FLOAT_TYPE_INFO, p -> BasicConverter.floatNumber()),
                    Map.entry(BasicTypeInfo.DOUBLE_TYPE_INFO, p -> BasicConverter.doubleNumber()),
                    Map.entry(BasicTypeInfo.BIG_INT_TYPE_INFO, p -> BasicConverter.bigInteger()),
                    Map.entry(BasicTypeInfo.BIG_DEC_TYPE_INFO, BasicConverter::bigDecimal),
                    Map.entry(BasicTypeInfo.CHAR_TYPE_INFO, p -> BasicConverter.character()),
                    Map.entry(BasicTypeInfo.STRING_TYPE_INFO, p -> BasicConverter.string()),
                    Map.entry(BasicTypeInfo.INSTANT_TYPE_INFO, TimeConverter::instant),
                    Map.entry(SqlTimeTypeInfo.DATE, TimeConverter::sqlDate),
                    Map.entry(SqlTimeTypeInfo.TIME, TimeConverter::sqlTime),
                    Map.entry(SqlTimeTypeInfo.TIMESTAMP, TimeConverter::sqlTimestamp),
                    Map.entry(LocalTimeTypeInfo.LOCAL_DATE, TimeConverter::localDate),
                    Map.entry(LocalTimeTypeInfo.LOCAL_TIME, TimeConverter::localTime),
                    Map.entry(LocalTimeTypeInfo.LOCAL_DATE_TIME, TimeConverter::localDateTime),
                    Map.entry(
                            PickledByteArrayTypeInfo.PICKLED_BYTE_ARRAY_TYPE_INFO,
                            BasicConverter::pickled),
                    Map.entry(
                            PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> BasicConverter.bytes()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.BOOLEAN_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.booleans()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.SHORT_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.shorts()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.INT_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.ints()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.longs()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.floats()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.DOUBLE_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.doubles()),
                    Map.entry(
                            PrimitiveArrayTypeInfo.CHAR_PRIMITIVE_ARRAY_TYPE_INFO,
                            p -> PrimitiveArrayConverter.chars()));

    private Converters() {}

    /**
     * @param prologue takes what the converters need of Python
     */
    static Converter<?> of(TypeInformation<?> type, Prologue prologue) {
        Function<Prologue, Converter<?>> leaf = LEAVES.get(type);
        if (leaf != null) {
            return leaf.apply(prologue);
        }
        if (type instanceof ExternalTypeInfo) { // a stream that was a table
            return of(
                    LegacyTypeInfoDataTypeConverter.toLegacyTypeInfo(
                            ((ExternalTypeInfo<?>) type).getDataType()),
                    prologue);
        }
        if (type instanceof RowTypeInfo) {
            RowTypeInfo row = (RowTypeInfo) type;
            List<String> names = Arrays.asList(row.getFieldNames());
            return new RowConverter(
                    names, all(row.getFieldTypes(), prologue), prologue.rowType(names));
        }
        if (type instanceof TupleTypeInfo) {
            return new TupleConverter(all(((TupleTypeInfo<?>) type).getFieldTypes(), prologue));
        }
        if (type instanceof BasicArrayTypeInfo) {
            return array(((BasicArrayTypeInfo<?, ?>) type).getComponentInfo(), prologue);
        }
        if (type instanceof ObjectArrayTypeInfo) {
            return array(((ObjectArrayTypeInfo<?, ?>) type).getComponentInfo(), prologue);
        }
        if (type instanceof ListTypeInfo) {
            return list(((ListTypeInfo<?>) type).getElementTypeInfo(), prologue);
        }
        if (type instanceof MapTypeInfo) {
            MapTypeInfo<?, ?> map = (MapTypeInfo<?, ?>) type;
            return new MapConverter(
                    any(map.getKeyTypeInfo(), prologue), any(map.getValueTypeInfo(), prologue));
        }
        throw new UnsupportedOperationException("Values of type " + type + " are not supported");
    }

    private static Converter<?> array(TypeInformation<?> component, Prologue prologue) {
        return new ArrayConverter(component.getTypeClass(), any(component, prologue));
    }

    /** PyFlink's coder of lists shows one of bytes as bytes. */
    private static Converter<?> list(TypeInformation<?> item, Prologue prologue) {
        return item.equals(BasicTypeInfo.BYTE_TYPE_INFO)
                ? new ByteListConverter()
                : new ListConverter(any(item, prologue));
    }

    private static List<Converter<Object>> all(TypeInformation<?>[] types, Prologue prologue) {
        List<Converter<Object>> converters = new ArrayList<>();
        for (TypeInformation<?> type : types) {
            converters.add(any(type, prologue));
        }
        return converters;
    }

    @SuppressWarnings("unchecked")
    private static Converter<Object> any(TypeInformation<?> type, Prologue prologue) {
        return (Converter<Object>) of(type, prologue);
    }
}
