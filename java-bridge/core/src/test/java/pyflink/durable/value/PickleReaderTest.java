package pyflink.durable.value;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What Python writes is in the tests of its side, in {@code tests/unit}. */
class PickleReaderTest {

    /** Bytes by number, characters, and texts. */
    private static byte[] pickle(Object... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (Object part : parts) {
            out.writeBytes(
                    part instanceof String
                            ? ((String) part).getBytes(StandardCharsets.UTF_8)
                            : new byte[] {
                                part instanceof Character
                                        ? (byte) (char) part
                                        : ((Integer) part).byteValue()
                            });
        }
        return out.toByteArray();
    }

    private static Object read(Object... parts) {
        return PickleReader.read(pickle(parts));
    }

    @Test
    void readsNumbersOfAllSizes() {
        assertThat(read(Opcode.BININT1, 255, '.')).isEqualTo(255L);
        assertThat(read(Opcode.BININT2, 0, 255, '.')).isEqualTo(0xFF00L);
        assertThat(read(Opcode.BININT, 255, 255, 255, 255, '.')).isEqualTo(-1L);
        assertThat(read(Opcode.LONG1, 0, '.')).isEqualTo(0L);
        assertThat(read(Opcode.LONG1, 5, 0, 0, 0, 0, 0x80, '.')).isEqualTo(-(1L << 39));
        assertThat(read(Opcode.LONG1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, '.'))
                .isEqualTo(BigInteger.ONE.shiftLeft(64));
        assertThat(read(Opcode.LONG4, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, '.'))
                .isEqualTo(BigInteger.ONE.shiftLeft(71).negate());
        assertThat(read('G', 0xBF, 0xF8, 0, 0, 0, 0, 0, 0, '.')).isEqualTo(-1.5);
    }

    @Test
    void readsWhatIsReferredToAgain() {
        Object[] pair = (Object[]) read(0x8c, 1, "a", 0x94, 'h', 0, 0x86, '.');
        assertThat(pair).containsExactly("a", "a");
    }

    @Test
    void keepsHalvesOfSurrogatePairs() {
        assertThat(read(0x8c, 5, "a", 0xED, 0xA0, 0xBD, "b", '.')).isEqualTo("a\uD83Db");
        assertThat(read(0x8c, 10, "é😀", 0xEF, 0xBF, 0xBD, "!", '.')).isEqualTo("é😀\uFFFD!");
    }

    @Test
    void readsListsThatComeInParts() {
        Object list = read(']', '(', 'K', 1, 'K', 2, 'e', 'K', 3, 'a', '(', 'e', '.');
        assertThat(list).isEqualTo(List.of(1L, 2L, 3L));
    }

    @Test
    void makesNoObjects() {
        assertThatThrownBy(() -> read("cos\nsystem\n", '.'))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("operation 0x63 at 0");
    }
}
