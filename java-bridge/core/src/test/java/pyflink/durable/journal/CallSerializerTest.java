package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.flink.api.common.typeutils.SerializerTestBase;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

/** The format of a journaled call. Flink's own rules for a serializer come from the base class. */
public class CallSerializerTest extends SerializerTestBase<Call> {

    @Override
    protected TypeSerializer<Call> createSerializer() {
        return CallSerializer.INSTANCE;
    }

    @Override
    protected int getLength() {
        return -1;
    }

    @Override
    protected Class<Call> getTypeClass() {
        return Call.class;
    }

    /** The calls of the golden file {@code golden/v1/calls.bin}, in order. Never change them. */
    @Override
    protected Call[] getTestData() {
        byte[] large = new byte[10_000];
        new Random(1).nextBytes(large);
        return new Call[] {
            Call.pending("shop.charge", "00112233445566ff"),
            Call.completed("shop.charge", "00112233445566ff", new byte[] {1, 2, -3}, null, 0),
            Call.completed("shop.charge", "00112233445566ff", null, new byte[] {7}, 1),
            Call.completed("shop.notify", "aabbccddeeff0011", null, null, 2),
            Call.completed("shop.notify", "aabbccddeeff0011", new byte[0], null, 3),
            Call.completed("shop.notify", "aabbccddeeff0011", null, new byte[0], 4),
            Call.completed("überweisung.支払う", "aabbccddeeff0011", large, null, 2_000_000_000),
        };
    }

    @Test
    void payloadsThatAreMissingAndPayloadsThatAreEmptyStayApart() throws Exception {
        Call nothing = roundTrip(Call.completed("f", "d", null, null, 0));
        Call empty = roundTrip(Call.completed("f", "d", new byte[0], null, 0));
        Call failed = roundTrip(Call.completed("f", "d", null, new byte[0], 0));

        assertThat(nothing.result()).isNull();
        assertThat(nothing.exception()).isNull();
        assertThat(empty.result()).isEmpty();
        assertThat(empty.status()).isEqualTo(CallStatus.SUCCEEDED);
        assertThat(failed.result()).isNull();
        assertThat(failed.exception()).isEmpty();
        assertThat(failed.status()).isEqualTo(CallStatus.FAILED);
    }

    @Test
    void aPendingCallHasNotCompleted() throws Exception {
        Call pending = roundTrip(Call.pending("f", "d"));

        assertThat(pending.status()).isEqualTo(CallStatus.PENDING);
        assertThat(pending.completion()).isEqualTo(Call.NOT_COMPLETED);
    }

    @Test
    void aNewerVersionIsRefused() throws Exception {
        byte[] record = serialize(Call.pending("f", "d"));
        record[0] = 2;

        assertThatThrownBy(
                        () ->
                                CallSerializer.INSTANCE.deserialize(
                                        new DataInputDeserializer(record)))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "A journaled call has format version 2; this pyflink-durable reads up to"
                                + " 1. The state was written by a newer release: use that one, or"
                                + " newer.");
    }

    @Test
    void aVersionBeforeTheFirstIsRefused() throws Exception {
        byte[] record = serialize(Call.pending("f", "d"));
        record[0] = 0;

        assertThatThrownBy(
                        () ->
                                CallSerializer.INSTANCE.deserialize(
                                        new DataInputDeserializer(record)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("format version 0");
    }

    @Test
    void callsWrittenByVersion1AreRead() throws Exception {
        DataInputDeserializer in = new DataInputDeserializer(golden());
        List<Call> read = new ArrayList<>();
        while (in.available() > 0) {
            read.add(CallSerializer.INSTANCE.deserialize(in));
        }

        assertThat(read).containsExactly(getTestData());
    }

    /** A change of the format needs a new version; then this test goes, the one above stays. */
    @Test
    void version1IsWrittenByteForByteAsInTheGoldenFile() throws Exception {
        assertThat(CallSerializer.VERSION).isEqualTo(1);
        assertThat(serialize(getTestData())).isEqualTo(golden());
    }

    @Test
    void aSavepointNamesTheSerializer() throws Exception {
        TypeSerializerSnapshot<Call> snapshot = CallSerializer.INSTANCE.snapshotConfiguration();
        DataOutputSerializer out = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, snapshot);

        TypeSerializerSnapshot<Call> restored =
                TypeSerializerSnapshot.readVersionedSnapshot(
                        new DataInputDeserializer(out.getCopyOfBuffer()),
                        getClass().getClassLoader());

        assertThat(restored.restoreSerializer()).isEqualTo(CallSerializer.INSTANCE);
        assertThat(snapshot.resolveSchemaCompatibility(restored).isCompatibleAsIs()).isTrue();
    }

    /** What {@code golden/v1/calls.bin} was made of; see {@code GoldenFiles}. */
    public static byte[] goldenCalls() throws IOException {
        return serialize(new CallSerializerTest().getTestData());
    }

    private static byte[] golden() throws IOException {
        try (InputStream in =
                CallSerializerTest.class.getResourceAsStream("/golden/v1/calls.bin")) {
            assertThat(in).as("golden/v1/calls.bin").isNotNull();
            return in.readAllBytes();
        }
    }

    private static byte[] serialize(Call... calls) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        for (Call call : Arrays.asList(calls)) {
            CallSerializer.INSTANCE.serialize(call, out);
        }
        return out.getCopyOfBuffer();
    }

    private static Call roundTrip(Call call) throws IOException {
        return CallSerializer.INSTANCE.deserialize(new DataInputDeserializer(serialize(call)));
    }
}
