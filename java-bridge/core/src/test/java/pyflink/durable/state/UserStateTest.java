package pyflink.durable.state;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.operator.BackendSetups.on;

import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.operator.DurableBridge;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.DurableHarness.Backend;

/** The state that handlers keep belongs to their key and is restored. */
@Timeout(60)
class UserStateTest {

    @ParameterizedTest
    @EnumSource(Backend.class)
    void userStateBelongsToItsKeyAndIsRestored(Backend backend) throws Exception {
        OperatorSubtaskState snapshot;
        try (DurableHarness harness = on(backend).open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            HarnessHandler a = harness.operator.host().handler("a:1");
            HarnessHandler b = harness.operator.host().handler("b:1");
            a.putState("total", "10");
            a.putState("name", "Alice");
            b.putState("total", "20");
            a.end();
            b.end();
            harness.runMails();
            harness.send("b", "2");
            harness.operator.host().handler("b:2").putState("total", "not applied before the end");
            snapshot = harness.snapshot();
        }
        try (DurableHarness harness = on(backend).open(snapshot)) {
            harness.send("a", "2");
            DurableBridge bridge = harness.operator.bridge();
            HarnessHandler a = harness.operator.host().handler("a:2");
            HarnessHandler b = harness.operator.host().handler("b:2");
            assertThat(bridge.getState(a.id(), "total")).isEqualTo("10".getBytes());
            assertThat(bridge.getState(b.id(), "total")).isEqualTo("20".getBytes());
            assertThat(bridge.getStateNames(a.id())).containsExactly("name", "total");
            assertThat(bridge.getState(b.id(), "name")).isNull();

            a.putState("name", null);
            harness.end("a:2");
            harness.send("a", "3");
            assertThat(bridge.getStateNames(harness.operator.host().handler("a:3").id()))
                    .containsExactly("total");
        }
    }
}
