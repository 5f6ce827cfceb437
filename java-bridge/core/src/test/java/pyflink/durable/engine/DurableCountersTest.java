package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What Python counts adds up and shows as JSON. */
class DurableCountersTest extends BridgeFixture {

    @Test
    void countersAddUpAndShowAsJson() {
        bridge.count("replayed", 2);
        bridge.count("replayed", 3);

        assertThat("{" + counters.toJsonMembers() + "}")
                .contains("\"replayed\": 5")
                .contains("\"reconciled\": 0")
                .contains("\"executed\": ")
                .matches("\\{(\"[A-Za-z]+\": \\d+, )*\"[A-Za-z]+\": \\d+}");
    }

    @Test
    void anUnknownCounterIsRefused() {
        assertThatThrownBy(() -> bridge.count("repalyed", 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("There is no counter repalyed; known are [")
                .hasMessageContaining("replayed");
    }
}
