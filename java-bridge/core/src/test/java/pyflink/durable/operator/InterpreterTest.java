package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InterpreterTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "loadedLibraryNames",
                "Native Library /lib/pemja_core.so already loaded in another classloader"
            })
    void aSecondJobsFailureSaysTheRemedy(String message) {
        Exception failure = new RuntimeException("open", new NoSuchFieldException(message));

        assertThatThrownBy(() -> Interpreter.explainOpenFailure(failure))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Another job has loaded Python in this TaskManager before")
                .hasMessageContaining("Copy opt/flink-python-*.jar")
                .hasCause(failure);
    }

    @Test
    void anyOtherFailureIsLeftAsItIs() {
        assertThatCode(() -> Interpreter.explainOpenFailure(new RuntimeException("no Python")))
                .doesNotThrowAnyException();
    }
}
