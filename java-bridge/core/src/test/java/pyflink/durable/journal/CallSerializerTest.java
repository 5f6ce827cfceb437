package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.journal.Call.NO_TIME;

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

    /** The calls of the golden file {@code golden/v1/calls.bin}, in order. Never change them. */
    private static final List<Call> CALLS_OF_VERSION_1 =
            List.of(
                    Call.pending("shop.charge", "00112233445566ff", 1),
                    completed("shop.charge", "00112233445566ff", new byte[] {1, 2, -3}, null, 0),
                    completed("shop.charge", "00112233445566ff", null, new byte[] {7}, 1),
                    completed("shop.notify", "aabbccddeeff0011", null, null, 2),
                    completed("shop.notify", "aabbccddeeff0011", new byte[0], null, 3),
                    completed("shop.notify", "aabbccddeeff0011", null, new byte[0], 4),
                    completed("überweisung.支払う", "aabbccddeeff0011", large(), null, 2_000_000_000));

    private static Call completed(
            String functionId, String argsDigest, byte[] result, byte[] exception, int completion) {
        return Call.completed(functionId, argsDigest, result, exception, completion, 1, NO_TIME);
    }

    private static byte[] large() {
        byte[] large = new byte[10_000];
        new Random(1).nextBytes(large);
        return large;
    }

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

    /** The calls of the golden file {@code golden/v2/calls.bin}, in order. Never change them. */
    private static List<Call> callsOfVersion2() {
        List<Call> calls = new ArrayList<>(CALLS_OF_VERSION_1);
        calls.add(Call.pending("shop.charge", "00112233445566ff", 3));
        calls.add(Call.scheduled("shop.charge", "00112233445566ff", 2, 1_800_000_000_000L));
        calls.add(Call.scheduled("sleep", "aabbccddeeff0011", 1, 0));
        calls.add(
                Call.completed(
                        "shop.charge",
                        "00112233445566ff",
                        new byte[] {5},
                        null,
                        7,
                        70_000,
                        NO_TIME));
        return calls;
    }

    /** The calls of the golden file {@code golden/v3/calls.bin}, in order. Never change them. */
    private static List<Call> callsOfVersion3() {
        List<Call> calls = callsOfVersion2();
        Call ended =
                Call.completed(
                        "shop.charge",
                        "00112233445566ff",
                        null,
                        null,
                        8,
                        2,
                        1_800_000_000_000_001L);
        calls.add(ended);
        calls.add(ended.ofInvocationThatBegan(1_799_999_999_999_999L));
        calls.add(
                Call.scheduled("sleep", "aabbccddeeff0011", 1, 1_800_000_000_000L)
                        .ofInvocationThatBegan(0));
        calls.add(Call.pending("shop.charge", "2:00112233445566ff", 1).repeatable(true));
        calls.add(ended.repeatable(true));
        calls.add(ended.ofInvocationThatBegan(1_799_999_999_999_999L).repeatable(true));
        return calls;
    }

    /** The calls of the golden file {@code golden/v4/calls.bin}, in order. Never change them. */
    @Override
    protected Call[] getTestData() {
        List<Call> calls = callsOfVersion3();
        calls.add(Call.opened(SlotKind.TIMER, "", 1_800_000_000_000L).repeatable(true));
        calls.add(Call.opened(SlotKind.BATCH_TIMER, "", 7).ended(new byte[] {1}, null, 9, 7_001));
        calls.add(Call.opened(SlotKind.MOMENT, "", 8).ended(new byte[] {2}, null, 10, 8_001));
        calls.add(Call.opened(SlotKind.SIGNAL, "approval", Long.MAX_VALUE));
        calls.add(
                Call.opened(SlotKind.PENDING_SIGNALS, "승인", 9)
                        .ended(new byte[] {3}, null, 11, 9_001)
                        .ofInvocationThatBegan(6));
        calls.add(
                Call.opened(SlotKind.PATCH, "new-prices", 9)
                        .ended(new byte[] {4}, null, 12, 9_002)
                        .repeatable(true));
        return calls.toArray(new Call[0]);
    }

    @Test
    void payloadsThatAreMissingAndPayloadsThatAreEmptyStayApart() throws Exception {
        Call nothing = roundTrip(completed("f", "d", null, null, 0));
        Call empty = roundTrip(completed("f", "d", new byte[0], null, 0));
        Call failed = roundTrip(completed("f", "d", null, new byte[0], 0));

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
        Call pending = roundTrip(Call.pending("f", "d", 1));

        assertThat(pending.status()).isEqualTo(CallStatus.PENDING);
        assertThat(pending.completion()).isEqualTo(Call.NOT_COMPLETED);
    }

    @Test
    void aNewerVersionIsRefused() throws Exception {
        byte[] record = serialize(Call.pending("f", "d", 1));
        record[0] = 5;

        assertThatThrownBy(
                        () ->
                                CallSerializer.INSTANCE.deserialize(
                                        new DataInputDeserializer(record)))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "A journaled call has format version 5; this pyflink-durable reads up to"
                                + " 4. The state was written by a newer release: use that one, or"
                                + " newer.");
    }

    @Test
    void aVersionBeforeTheFirstIsRefused() throws Exception {
        byte[] record = serialize(Call.pending("f", "d", 1));
        record[0] = 0;

        assertThatThrownBy(
                        () ->
                                CallSerializer.INSTANCE.deserialize(
                                        new DataInputDeserializer(record)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("format version 0");
    }

    @Test
    void anAttemptAndATimeAreKept() throws Exception {
        Call scheduled = roundTrip(Call.scheduled("f", "d", 3, 1_234));

        assertThat(scheduled.status()).isEqualTo(CallStatus.PENDING);
        assertThat(scheduled.attempt()).isEqualTo(3);
        assertThat(scheduled.due()).isEqualTo(1_234);
        assertThat(roundTrip(Call.pending("f", "d", 3)).due()).isEqualTo(Call.NOT_SCHEDULED);
    }

    @Test
    void callsWrittenByVersion1AreReadAsFirstAttemptsThatAreNotScheduled() throws Exception {
        List<Call> read = read(golden("v1"));

        assertThat(read).isEqualTo(CALLS_OF_VERSION_1);
        assertThat(read).extracting(Call::attempt).containsOnly(1);
        assertThat(read).extracting(Call::due).containsOnly(Call.NOT_SCHEDULED);
    }

    @Test
    void callsWrittenByVersion2AreReadWithoutTimes() throws Exception {
        List<Call> read = read(golden("v2"));

        assertThat(read).isEqualTo(callsOfVersion2());
        assertThat(read).extracting(Call::endedAt).containsOnly(NO_TIME);
        assertThat(read).extracting(Call::invocationBegan).containsOnly(NO_TIME);
    }

    @Test
    void callsWrittenByVersion3AreRead() throws Exception {
        assertThat(read(golden("v3"))).isEqualTo(callsOfVersion3());
    }

    @Test
    void whatIsNoCallWasToldByItsFunction() throws Exception {
        String none = "0000000000000000";
        assertThat(List.of("timer", "batch_timer", "now"))
                .extracting(name -> readAsVersion3("pyflink_durable." + name, none))
                .extracting(Call::kind)
                .containsExactly(SlotKind.TIMER, SlotKind.BATCH_TIMER, SlotKind.MOMENT);
        assertThat(readAsVersion3("pyflink_durable.timer", none))
                .isEqualTo(Call.opened(SlotKind.TIMER, "", 7));
        assertThat(readAsVersion3("pyflink_durable.timer", "2:0011223344556677"))
                .as("a call whose durable_id is so")
                .isEqualTo(Call.scheduled("pyflink_durable.timer", "2:0011223344556677", 1, 7));
    }

    @Test
    void aCallIsACallWhateverItsDurableId() throws Exception {
        Call call = Call.scheduled("pyflink_durable.timer", "0000000000000000", 1, 7);

        assertThat(roundTrip(call)).isEqualTo(call);
    }

    @Test
    void aKindThatIsNotKnownIsRefused() throws Exception {
        byte[] record = serialize(Call.pending("f", "d", 1));
        record[1] = 100;

        assertThatThrownBy(() -> read(record))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("kind 100")
                .hasMessageContaining("newer release");
    }

    /** What version 3 wrote of a pending call that is due at 7. */
    private static Call readAsVersion3(String functionId, String argsDigest) {
        try {
            byte[] record = serialize(Call.scheduled(functionId, argsDigest, 1, 7));
            byte[] old = new byte[record.length - 1]; // the kind is behind the version
            System.arraycopy(record, 1, old, 0, old.length);
            old[0] = 3;
            return CallSerializer.INSTANCE.deserialize(new DataInputDeserializer(old));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A change of the format needs a new version; then this test goes, the ones above stay. */
    @Test
    void version4IsWrittenByteForByteAsInTheGoldenFile() throws Exception {
        assertThat(CallSerializer.VERSION).isEqualTo(4);
        assertThat(serialize(getTestData())).isEqualTo(golden("v4"));
    }

    @Test
    void kindAndTimesCostTwoBytesInAllSlotsButTheFirst() throws Exception {
        Call ended = Call.completed("f", "d", null, null, 0, 1, 1_800_000_000_000_001L);

        assertThat(serialize(ended).length).isEqualTo(sizeInVersion2(ended) + 2);
        assertThat(serialize(ended.ofInvocationThatBegan(5)).length)
                .isEqualTo(sizeInVersion2(ended) + 10);
    }

    private static int sizeInVersion2(Call call) {
        int text = 2 + call.functionId().length() + 2 + call.argsDigest().length();
        return 2 + text + 4 + 4 + 8 + 4 + 4;
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

    /** What {@code golden/v4/calls.bin} was made of; see {@code GoldenFiles}. */
    public static byte[] goldenCalls() throws IOException {
        return serialize(new CallSerializerTest().getTestData());
    }

    private static byte[] golden(String version) throws IOException {
        String file = "/golden/" + version + "/calls.bin";
        try (InputStream in = CallSerializerTest.class.getResourceAsStream(file)) {
            assertThat(in).as(file).isNotNull();
            return in.readAllBytes();
        }
    }

    private static List<Call> read(byte[] records) throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(records);
        List<Call> read = new ArrayList<>();
        while (in.available() > 0) {
            read.add(CallSerializer.INSTANCE.deserialize(in));
        }
        return read;
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
