package pyflink.durable.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.util.StringUtils;
import org.junit.jupiter.api.Test;

class SignalSerializerTest {

    private static final Signal FULL =
            new Signal(7, "approval", "id-1", "o-1", 1_800_000_000_000L, new byte[] {1, 2, 3});
    private static final Signal BARE = new Signal(8, "n", null, null, 5, new byte[0]);

    /** As release 0.2 writes them: never change it. */
    private static final String VERSION_1 =
            "0100000000000000070008617070726f76616c01000469642d310100036f2d31000001a3185c5000"
                    + "00000003010203"
                    + "01000000000000000800016e0000000000000000000500000000";

    private static byte[] serialize(Signal... signals) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        for (Signal signal : signals) {
            SignalSerializer.INSTANCE.serialize(signal, out);
        }
        return out.getCopyOfBuffer();
    }

    @Test
    void version1IsWrittenByteForByteAsItWasReleased() throws IOException {
        assertThat(StringUtils.byteToHexString(serialize(FULL, BARE))).isEqualTo(VERSION_1);
    }

    @Test
    void version1IsRead() throws IOException {
        DataInputDeserializer in =
                new DataInputDeserializer(StringUtils.hexStringToByte(VERSION_1));

        assertThat(SignalSerializer.INSTANCE.deserialize(in)).isEqualTo(FULL);
        assertThat(SignalSerializer.INSTANCE.deserialize(in)).isEqualTo(BARE);
        assertThat(in.available()).isZero();
    }

    @Test
    void aNewerVersionIsRefused() throws IOException {
        byte[] newer = serialize(FULL);
        newer[0] = SignalSerializer.VERSION + 1;

        assertThatThrownBy(
                        () ->
                                SignalSerializer.INSTANCE.deserialize(
                                        new DataInputDeserializer(newer)))
                .hasMessageContaining("format version 2; this pyflink-durable reads up to 1");
    }

    @Test
    void doesNotTellItsValue() {
        assertThat(FULL).hasToString("signal approval number 7");
    }
}
