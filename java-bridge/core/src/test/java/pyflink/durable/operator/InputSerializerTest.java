package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.SerializerTestBase;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import pyflink.durable.state.Input;

/** The format of an input in flight. Flink's rules for a serializer come from the base class. */
class InputSerializerTest extends SerializerTestBase<Input<Row>> {

    private static final InputSerializer<Row> SERIALIZER =
            new InputSerializer<>(
                    Types.ROW(Types.STRING, Types.PRIMITIVE_ARRAY(Types.BYTE))
                            .createSerializer(new SerializerConfigImpl()));

    @Override
    protected TypeSerializer<Input<Row>> createSerializer() {
        return SERIALIZER;
    }

    @Override
    protected int getLength() {
        return -1;
    }

    @Override
    @SuppressWarnings("unchecked")
    protected Class<Input<Row>> getTypeClass() {
        return (Class<Input<Row>>) (Class<?>) Input.class;
    }

    /** The inputs of the golden file {@code golden/v1/inputs.bin}, in order. Never change them. */
    @Override
    @SuppressWarnings("unchecked")
    protected Input<Row>[] getTestData() {
        return new Input[] {
            new Input<>(0, null, Row.of("alice", new byte[] {1, 2, 3})),
            new Input<>(1, 0L, Row.of("bob", new byte[0])),
            new Input<>(2, -1L, Row.of("支払う", null)),
            new Input<>(Long.MAX_VALUE, 1_700_000_000_000L, Row.of(null, new byte[] {-1})),
        };
    }

    @Test
    void anInputWithoutATimestampHasNoneAfterwards() throws Exception {
        Input<Row> none = roundTrip(new Input<>(7, null, Row.of("a", null)));
        Input<Row> zero = roundTrip(new Input<>(7, 0L, Row.of("a", null)));
        Input<Row> lowest = roundTrip(new Input<>(7, Long.MIN_VALUE, Row.of("a", null)));

        assertThat(none.timestamp()).isNull();
        assertThat(zero.timestamp()).isZero();
        assertThat(lowest.timestamp()).isEqualTo(Long.MIN_VALUE);
    }

    @Test
    void aNewerVersionIsRefused() throws Exception {
        byte[] record = serialize(getTestData()[0]);
        record[0] = 4;

        assertThatThrownBy(() -> SERIALIZER.deserialize(new DataInputDeserializer(record)))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "An input in flight has format version 4; this pyflink-durable reads up to"
                                + " 3. The state was written by a newer release: use that one, or"
                                + " newer.");
    }

    @Test
    void inputsWrittenByVersion1AreRead() throws Exception {
        DataInputDeserializer in = new DataInputDeserializer(golden());
        List<Input<Row>> read = new ArrayList<>();
        while (in.available() > 0) {
            read.add(SERIALIZER.deserialize(in));
        }

        assertThat(read).containsExactly(getTestData());
    }

    /** A change of the format needs a new version; then this test goes, the one above stays. */
    @Test
    void inputsThatHaveNotBeenParkedAreWrittenByteForByteAsInVersion1() throws Exception {
        assertThat(serialize(getTestData())).isEqualTo(golden());
    }

    @Test
    void anInputWhoseOutputsWouldBeLateKeepsBothTimestamps() throws Exception {
        Input<Row> input = new Input<>(7, 5L, Row.of("a", null));
        Input<Row> moved = input.behind(8);

        assertThat(input.behind(4)).isSameAs(input);
        assertThat(roundTrip(moved)).isEqualTo(moved);
        assertThat(roundTrip(moved).timestamp()).isEqualTo(5);
        assertThat(roundTrip(moved).outputTimestamp()).isEqualTo(9);
        assertThat(serialize(moved)[0]).isEqualTo((byte) 2);
    }

    @Test
    void anInputKeepsTheVersionOfTheHandlerThatAcceptedIt() throws Exception {
        Input<Row> accepted = new Input<>(7, 5L, 5L, "2026-11", Row.of("a", null));
        Input<Row> withoutTime = new Input<>(7, null, null, "支", Row.of("a", null));

        for (Input<Row> input : List.of(accepted, accepted.behind(8), withoutTime)) {
            assertThat(roundTrip(input)).isEqualTo(input);
            assertThat(SERIALIZER.copy(input)).isEqualTo(input);
            assertThat(serialize(input)[0]).isEqualTo((byte) 3);
        }
        assertThat(roundTrip(accepted.behind(8)).outputTimestamp()).isEqualTo(9);
        assertThat(roundTrip(accepted).handlerVersion()).isEqualTo("2026-11");
        assertThat(accepted).isNotEqualTo(new Input<>(7, 5L, 5L, "2", accepted.value()));
    }

    @Test
    void anInputInAPayloadKeepsItAndItsTimestamps() throws Exception {
        byte[] payload = {(byte) 0xD1, 4, 0, -1};
        Input<Row> none = new Input<>(7, null, Row.of("a", null)).sealedAs(payload);
        Input<Row> one = new Input<>(7, 5L, Row.of("a", null)).sealedAs(payload);
        Input<Row> moved = new Input<>(7, 5L, Row.of("a", null)).behind(8).sealedAs(payload);

        for (Input<Row> input : List.of(none, one, moved)) {
            Input<Row> read = roundTrip(input);
            assertThat(read).isEqualTo(input);
            assertThat(read.sealed()).isEqualTo(payload);
            assertThat(read.value()).isNull();
            assertThat(SERIALIZER.copy(input)).isEqualTo(input);
        }
        assertThat(roundTrip(moved).outputTimestamp()).isEqualTo(9);
        assertThat(roundTrip(none).timestamp()).isNull();
    }

    /** What a release has written is read by all later ones: a change needs version 4. */
    @Test
    void anInputInAPayloadIsWrittenSo() throws Exception {
        Input<Row> input = Input.sealed(1, 2L, 3L, null, new byte[] {9, 8});

        assertThat(serialize(input))
                .containsExactly(
                        3, 0, 0, 0, 0, 0, 0, 0, 1, 11, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
                        3, 0, 0, 0, 2, 9, 8);
    }

    @Test
    void aSavepointKeepsTheSerializerOfTheValue() throws Exception {
        TypeSerializerSnapshot<Input<Row>> snapshot = SERIALIZER.snapshotConfiguration();

        TypeSerializerSnapshot<Input<Row>> restored = writeAndRead(snapshot);

        assertThat(restored.restoreSerializer()).isEqualTo(SERIALIZER);
        assertThat(snapshot.resolveSchemaCompatibility(restored).isCompatibleAsIs()).isTrue();
    }

    @Test
    void anotherTypeOfValueIsIncompatible() throws Exception {
        TypeSerializerSnapshot<Input<String>> strings =
                writeAndRead(
                        new InputSerializer<>(StringSerializer.INSTANCE).snapshotConfiguration());

        @SuppressWarnings({"unchecked", "rawtypes"})
        boolean incompatible =
                ((TypeSerializerSnapshot)
                                new InputSerializer<>(LongSerializer.INSTANCE)
                                        .snapshotConfiguration())
                        .resolveSchemaCompatibility(strings)
                        .isIncompatible();

        assertThat(incompatible).isTrue();
    }

    @Test
    void aCopyDoesNotShareTheValue() {
        Input<Row> original = new Input<>(1, 2L, Row.of("a", new byte[] {1}));

        Input<Row> copy = SERIALIZER.copy(original);
        original.value().setField(0, "changed");

        assertThat(copy).isEqualTo(new Input<>(1, 2L, Row.of("a", new byte[] {1})));
    }

    private static byte[] golden() throws IOException {
        try (InputStream in =
                InputSerializerTest.class.getResourceAsStream("/golden/v1/inputs.bin")) {
            assertThat(in).as("golden/v1/inputs.bin").isNotNull();
            return in.readAllBytes();
        }
    }

    private static <T> TypeSerializerSnapshot<T> writeAndRead(TypeSerializerSnapshot<T> snapshot)
            throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, snapshot);
        return TypeSerializerSnapshot.readVersionedSnapshot(
                new DataInputDeserializer(out.getCopyOfBuffer()),
                InputSerializerTest.class.getClassLoader());
    }

    @SafeVarargs
    private static byte[] serialize(Input<Row>... inputs) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        for (Input<Row> input : inputs) {
            SERIALIZER.serialize(input, out);
        }
        return out.getCopyOfBuffer();
    }

    private static Input<Row> roundTrip(Input<Row> input) throws IOException {
        return SERIALIZER.deserialize(new DataInputDeserializer(serialize(input)));
    }
}
