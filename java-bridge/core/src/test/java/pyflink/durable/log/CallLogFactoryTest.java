package pyflink.durable.log;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class CallLogFactoryTest {

    @Test
    void anUnknownTypeIsAnErrorThatNamesTheJars() {
        assertThatThrownBy(
                        () ->
                                CallLogFactory.open(
                                        Map.of("type", "postgres"),
                                        TestAttempt.ofJob("a0").context(),
                                        getClass().getClassLoader()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'postgres'")
                .hasMessageContaining("[file, memory]") // the second is of the tests
                .hasMessageContaining("pyflink-durable-kafka-VERSION.jar");
    }
}
