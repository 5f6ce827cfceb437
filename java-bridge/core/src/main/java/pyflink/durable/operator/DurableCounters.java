package pyflink.durable.operator;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.ThreadSafeSimpleCounter;

/**
 * Counts what became of the calls and handlers of one attempt, as Flink metrics {@code durable.*}
 * and as the line that the operator logs when it closes.
 */
final class DurableCounters {

    private static final String[] NAMES = {
        "executed", // calls run for the first time
        "replayed", // calls answered from the journal
        "reconciled", // calls in doubt that were answered by their reconciler
        "reexecuted", // calls in doubt that were run again
        "mismatched", // slots that held another call than the handler made
        "abandoned", // calls still running when their handler ended or the task closed
        "handlerErrors", // handlers that raised
        "deadLetters", // inputs sent to the dead-letter output
        "droppedSideOutputs", // values for a side output that nothing reads
    };

    private final Map<String, Counter> counters = new LinkedHashMap<>();

    /**
     * @param running how many invocations run
     * @param waiting how many inputs wait for their turn
     */
    DurableCounters(MetricGroup operatorGroup, Gauge<Integer> running, Gauge<Integer> waiting) {
        MetricGroup group = operatorGroup.addGroup("durable");
        group.gauge("running", running);
        group.gauge("waiting", waiting);
        for (String name : NAMES) {
            counters.put(name, group.counter(name, new ThreadSafeSimpleCounter()));
        }
    }

    /** Adds to a counter. Any thread. */
    void add(String name, long count) {
        Counter counter = counters.get(name);
        if (counter == null) {
            throw new IllegalArgumentException(
                    "There is no counter " + name + "; known are " + counters.keySet());
        }
        counter.inc(count);
    }

    /** All counts as the members of a JSON object. */
    String toJsonMembers() {
        return counters.entrySet().stream()
                .map(entry -> "\"" + entry.getKey() + "\": " + entry.getValue().getCount())
                .collect(Collectors.joining(", "));
    }
}
