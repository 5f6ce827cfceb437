package pyflink.durable.journal;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Writes immutable records with the version of their format in front.
 *
 * <p>The version stands in each record, not in the serializer's snapshot: a RocksDB state keeps
 * records of several versions side by side until each is rewritten, and a record of a newer version
 * is refused when it is read instead of being misread.
 */
public abstract class RecordSerializer<T> extends TypeSerializerSingleton<T> {

    private static final long serialVersionUID = 1L;

    /**
     * Reads the version that a record begins with.
     *
     * @param what the record, as the error names it
     * @param newest the last version that is known here
     * @throws IOException if the version is a newer one, or none
     */
    public static int readVersion(DataInputView in, String what, int newest) throws IOException {
        int version = in.readByte();
        if (version < 1 || version > newest) {
            throw new IOException(
                    String.format(
                            "%s has format version %d; this pyflink-durable reads up to %d. The"
                                    + " state was written by a newer release: use that one, or"
                                    + " newer.",
                            what, version, newest));
        }
        return version;
    }

    @Override
    public final void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public final boolean isImmutableType() {
        return true;
    }

    @Override
    public final T copy(T from) {
        return from;
    }

    @Override
    public final T copy(T from, T reuse) {
        return from;
    }

    @Override
    public final int getLength() {
        return -1;
    }

    @Override
    public final T deserialize(T reuse, DataInputView in) throws IOException {
        return deserialize(in);
    }
}
