package pyflink.durable.state;

import javax.annotation.Nullable;
import org.apache.flink.api.common.state.BroadcastState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;

/**
 * The last watermark of a subtask, over failures: Flink begins anew without one. The windows behind
 * do not, and what was parked before the failure must not come to one that has ended.
 *
 * <p>Broadcast state, for the reasons given at {@link CallLogState}: a subtask finds that of some
 * subtask. Any will do, since what is behind has gone by the smallest of all. A job without
 * watermarks has no such state.
 */
public final class WatermarkState {

    static final String NAME = "durable-watermark";

    private static final String LAST = "last";

    private final OperatorStateStore store;
    private final long restored;
    @Nullable private BroadcastState<String, Long> entries;

    public WatermarkState(OperatorStateStore store) throws Exception {
        this.store = store;
        Long last = null;
        if (store.getRegisteredBroadcastStateNames().contains(NAME)) {
            last = entries().get(LAST);
        }
        restored = last == null ? Long.MIN_VALUE : last;
    }

    private BroadcastState<String, Long> entries() throws Exception {
        if (entries == null) {
            entries =
                    store.getBroadcastState(
                            new MapStateDescriptor<>(
                                    NAME, StringSerializer.INSTANCE, LongSerializer.INSTANCE));
        }
        return entries;
    }

    /** That of the checkpoint; the smallest number if there was none. */
    public long restored() {
        return restored;
    }

    /** What the next checkpoint is to hold. */
    public void save(long watermark) throws Exception {
        long last = Math.max(watermark, restored);
        if (last > Long.MIN_VALUE) {
            entries().put(LAST, last);
        }
    }
}
