package pyflink.durable.operator;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;

/**
 * Counts what became of the calls and handlers of one attempt, as Flink metrics {@code durable.*}
 * and as the line that the operator logs when it closes.
 */
final class DurableCounters {

    private static final String[] NAMES = {
        "replayed", // calls answered from the journal
        "reconciled", // calls in doubt that were answered by their reconciler
        "reexecuted", // calls in doubt that were run again
        "mismatched", // slots that held another call than the handler made
        "abandoned", // calls still running when their handler ended or the task closed
        "handlerErrors", // handlers that raised
        "deadLetters", // inputs sent to the dead-letter output
        "droppedSideOutputs", // values for a side output that nothing reads
    };

    private final LongAdder executed = new LongAdder();
    private final Map<String, Counter> counters = new LinkedHashMap<>();

    DurableCounters(MetricGroup operatorGroup) {
        MetricGroup group = operatorGroup.addGroup("durable");
        group.gauge("executed", executed::sum); // calls run for the first time
        for (String name : NAMES) {
            counters.put(name, group.counter(name));
        }
    }

    /** Counts calls run for the first time; apart from the rest, since all calls are. */
    void executed(long count) {
        executed.add(count);
    }

    void add(String name, long count) {
        Counter counter = counters.get(name);
        if (counter == null) {
            throw new IllegalArgumentException(
                    "There is no counter " + name + "; known are " + counters.keySet());
        }
        synchronized (counter) {
            counter.inc(count);
        }
    }

    /** All counts as the members of a JSON object. */
    String toJsonMembers() {
        StringBuilder json = new StringBuilder("\"executed\": ").append(executed.sum());
        counters.forEach(
                (name, counter) ->
                        json.append(", \"")
                                .append(name)
                                .append("\": ")
                                .append(counter.getCount()));
        return json.toString();
    }
}
