package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.BeforeEach;
import pyflink.durable.operator.DurableBridge;
import pyflink.durable.state.Input;
import pyflink.durable.state.UserState;

/** A bridge to a host that records what reaches it, with one invocation begun. */
public abstract class BridgeFixture {

    public final RecordingHost host = new RecordingHost();
    final DurableCounters counters =
            new DurableCounters(
                    new UnregisteredMetricsGroup(),
                    () -> 0,
                    () -> 0,
                    () -> 0,
                    () -> 0,
                    () -> 0,
                    () -> 0L,
                    () -> 0L);
    final RunningInvocations invocations = new RunningInvocations();
    final StepWrites stepWrites = new StepWrites(invocations, host, counters);
    public final DurableBridge bridge = new DurableBridge(invocations, host, counters);
    public final long id = host.invocation.id();

    @BeforeEach
    void begin() {
        invocations.begin(host.invocation);
    }

    public static final class RecordingHost implements HostRequests {
        public final List<String> calls = new ArrayList<>();
        final Invocation<String, String> invocation =
                new Invocation<>(
                        17,
                        new KeyLane<>("alice", 6),
                        new Input<>(5, 99L, "value"),
                        new WatermarkHold(WatermarkHoldTest.downstream(List.of())).enter(null),
                        null);

        @Override
        public void wake() {
            calls.add("wake");
        }

        @Override
        public void wakeAt(long epochMillis) {
            calls.add("wakeAt " + epochMillis);
        }

        @Override
        public int identify(Invocation<?, ?> asked, String invocationId, String inputDigest) {
            return asked.journal().size();
        }

        @Override
        public Object externalKey(Invocation<?, ?> asked) {
            return "external " + asked.key();
        }

        @Override
        public UserState userState(long id) {
            calls.add("userState " + id);
            return null;
        }

        @Override
        public Signals<?, ?> signals(long id) {
            calls.add("signals " + id);
            return null;
        }

        @Override
        public void written(Invocation<?, ?> of, int slot, String hold) {
            calls.add("written " + slot + " " + hold + " into " + of.journal().calls());
        }

        @Override
        public void cleared(Invocation<?, ?> of, int slot) {
            calls.add("cleared " + slot + " of " + of.journal().calls());
        }

        @Override
        public boolean hasSideOutput(String tag) {
            calls.add("hasSideOutput " + tag);
            return true;
        }

        @Override
        public Object[] describeTask() {
            return new Object[0];
        }
    }
}
