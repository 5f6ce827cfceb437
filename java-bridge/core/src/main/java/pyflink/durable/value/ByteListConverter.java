package pyflink.durable.value;

import java.util.ArrayList;
import java.util.List;

/** A list of bytes: bytes in Python. */
final class ByteListConverter extends Converter<List<Byte>> {

    @Override
    void writeValue(List<Byte> value, PickleWriter out) {
        byte[] bytes = new byte[value.size()];
        int i = 0;
        for (byte each : value) {
            bytes[i++] = each;
        }
        out.bytes(bytes);
    }

    @Override
    List<Byte> readValue(Object plain) {
        byte[] bytes = (byte[]) plain;
        List<Byte> list = new ArrayList<>(bytes.length);
        for (byte each : bytes) {
            list.add(each);
        }
        return list;
    }

    @Override
    void describe(PickleWriter out) {
        out.text("PRIMITIVE_ARRAY(BYTE)");
    }
}
