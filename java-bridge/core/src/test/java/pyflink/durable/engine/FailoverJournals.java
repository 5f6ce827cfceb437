package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.List;
import pyflink.durable.operator.DurableHarness;

/** What a failover would find. */
final class FailoverJournals {

    private FailoverJournals() {}

    /** The calls in the journals that a failover to a checkpoint restores. */
    static List<String> journalsIn(DurableHarness harness, long checkpoint) throws Exception {
        List<String> calls = new ArrayList<>();
        try (DurableHarness after = DurableHarness.setup().open(harness.snapshotOf(checkpoint))) {
            after.runMails();
            for (HarnessHandler handler : after.operator.host().running()) {
                handler.journal().forEach(call -> calls.add(handler + " " + call));
            }
        }
        return calls;
    }
}
