package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** What an invocation keeps of its input, until it ends and is forgotten. */
@Timeout(60)
class InvocationTest {

    @Test
    void aHandlerSeesTheTimestampOfItsInputAndItsOutputsCarryIt() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1", 7);
            harness.send("b", "1");
            assertThat(harness.operator.host().handler("a:1").timestamp()).isEqualTo(7L);
            assertThat(harness.operator.host().handler("b:1").timestamp()).isNull();

            harness.end("a:1");
            harness.end("b:1");
            assertThat(harness.flink.getOutput())
                    .containsExactly(new StreamRecord<>("a:1", 7), new StreamRecord<>("b:1"));
        }
    }

    @Test
    void withObjectReuseAnInputIsCopiedAsItIsKept() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().objectReuse().open()) {
            Row reused = Row.of("a", "1");
            harness.flink.processElement(new StreamRecord<>(reused));
            reused.setField(1, "2");
            harness.flink.processElement(new StreamRecord<>(reused));
            reused.setField(1, "3");

            harness.endAll();
            assertThat(harness.outputs()).containsExactly("a:1", "a:2");
        }
    }

    @Test
    void anInvocationThatHasEndedIsNotKnownAnyMore() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            long id = harness.operator.host().handler("a:1").id();
            harness.end("a:1");

            assertThatThrownBy(() -> harness.operator.engine().scheduler().running(id))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("Invocation 0 is not running: it has ended, or never started.");
        }
    }
}
