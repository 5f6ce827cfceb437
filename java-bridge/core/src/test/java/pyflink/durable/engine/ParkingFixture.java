package pyflink.durable.engine;

import org.apache.flink.types.Row;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.state.Retention;

/** What tests of parked invocations have in common: an operator that parks, with signals. */
final class ParkingFixture {

    static final long PARK_AFTER = 10_000;
    static final long DAY = 86_400_000;
    static final String TIMER = "TIMER";

    private ParkingFixture() {}

    static DurableHarness.Setup setup() {
        return DurableHarness.setup()
                .parksAfter(PARK_AFTER)
                .retention(new Retention(true, 0, 0).withSignals(7 * DAY));
    }

    /** Has a handler that has started sleep for a day. */
    static HarnessHandler sleeping(DurableHarness harness, String keyAndValue) throws Exception {
        HarnessHandler handler = running(harness, keyAndValue);
        handler.sleepUntil(0, DAY);
        return handler;
    }

    static HarnessHandler running(DurableHarness harness, String keyAndValue) throws Exception {
        harness.runMails();
        return harness.operator.host().handler(keyAndValue);
    }

    /** Lets the time pass second by second. */
    static void pass(DurableHarness harness, long until) throws Exception {
        for (long now = harness.flink.getProcessingTime(); now < until; ) {
            now = Math.min(until, now + 1_000);
            jump(harness, now);
        }
    }

    static void jump(DurableHarness harness, long time) throws Exception {
        harness.flink.setProcessingTime(time);
        harness.runMails();
    }

    static int parked(DurableHarness harness) {
        return harness.operator.engine().parkedCount();
    }

    static void signal(DurableHarness harness, String key, String content) throws Exception {
        harness.operator.setCurrentKey(Row.of(key));
        harness.operator.engine().acceptSignal(content.getBytes());
        harness.runMails();
    }
}
