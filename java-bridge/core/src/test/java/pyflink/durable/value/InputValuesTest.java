package pyflink.durable.value;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.LocalDate;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

/** What Python reads is in the tests of its side, in {@code tests/unit}. */
class InputValuesTest {

    private final InputValues<String> texts = new InputValues<>(ValueType.of(Types.STRING));

    @Test
    void aFewValuesAreOnePickle() {
        texts.add("a");
        texts.add(null);
        texts.add("b");
        assertThat(texts.take()).hasSize(1);
        assertThat(texts.take()).isEmpty();
    }

    @Test
    void pythonReadsNoMoreAtATimeThanItMay() {
        String large = "x".repeat(40_000);
        for (int i = 0; i < 5; i++) {
            texts.add(large);
        }
        assertThat(texts.take()).hasSize(3);
    }

    @Test
    void largeValuesAreFewInAStep() {
        String large = "x".repeat(6 * 1024 * 1024);
        int added = 0;
        while (texts.hasRoom()) {
            texts.add(large);
            added++;
        }
        assertThat(added).isEqualTo(3);
        texts.take();
        assertThat(texts.hasRoom()).isTrue();
    }

    @Test
    void oneThatIsTooLargeForAllGoesAlone() {
        assertThat(texts.hasRoom()).isTrue();
        texts.add("x".repeat(20 * 1024 * 1024));
        assertThat(texts.hasRoom()).isFalse();
        assertThat(texts.take()).hasSize(1);
    }

    @Test
    void aDateThatPythonDoesNotHaveIsNamed() {
        TypeInformation<Row> order =
                Types.ROW_NAMED(
                        new String[] {"lines"},
                        Types.OBJECT_ARRAY(
                                Types.ROW_NAMED(
                                        new String[] {"due"},
                                        Types.MAP(Types.STRING, Types.LOCAL_DATE))));
        InputValues<Row> orders = new InputValues<>(ValueType.of(order));
        Row line = Row.of(Map.of("first", LocalDate.of(10_000, 1, 1)));
        assertThatThrownBy(() -> orders.add(Row.of((Object) new Row[] {null, line})))
                .hasMessage("lines[1].due[first]: Python has no date in the year 10000");
        orders.add(Row.of((Object) null));
        assertThat(orders.take()).hasSize(1);
    }

    @Test
    void aTypeThatPyFlinkDoesNotHaveIsRefused() {
        assertThatThrownBy(() -> ValueType.of(Types.ENUM(Thread.State.class)))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("State");
    }
}
