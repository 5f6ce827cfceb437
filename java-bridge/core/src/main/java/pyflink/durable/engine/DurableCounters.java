package pyflink.durable.engine;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.ThreadSafeSimpleCounter;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * Counts what became of the calls and handlers of one attempt, as Flink metrics {@code durable.*}
 * and as the line that the operator logs when it closes.
 */
public final class DurableCounters {

    private static final String[] HISTOGRAMS = {
        "toolLatencyMillis", // milliseconds that tools took
        "payloadBytes", // bytes of results, exceptions and values of ctx.state, from 1 KB on
    };

    private static final int KEPT_VALUES = 1_000;

    private static final String[] NAMES = {
        "executed", // calls run for the first time
        "replayed", // calls answered from the journal
        "reconciled", // calls in doubt that were answered by their reconciler
        "reexecuted", // calls in doubt that were run again
        "mismatched", // slots that held another call than the handler made
        "abandoned", // calls still running when their handler ended or the task closed
        "blocked", // handlers and calls that held a thread for seconds that others wait for
        "handlerErrors", // handlers that raised
        "deadLetters", // inputs sent to the dead-letter output
        "droppedSideOutputs", // values for a side output that nothing reads
        "retried", // attempts that a retry policy started again
        "timedOut", // attempts that ran into their timeout
        "unknown", // calls that ended as OutcomeUnknown
        "valvePassed", // inputs taken in although calls at the gate filled the operator
        "logAppends", // entries appended to the call log
        "logErrors", // entries that could not be appended to the call log
        "recovered", // slots that the call log knew and the checkpoint did not
        "unclaimed", // entries of the call log whose input came back with another value
        "offloaded", // results and exceptions written to the store of large payloads
        "offloadErrors", // attempts to write one that failed
        "largePayloads", // results, exceptions and values of ctx.state of 256 KB and more
        "pickledInputs", // inputs in flight that the serializer has no form for
        "parkedTotal", // invocations that were dropped from memory while they waited
        "refused", // inputs that were not taken in, as too many of their key wait
        "woken", // of them, and of those of earlier attempts, the ones that went on
        "signals", // signals that have come
        "signalsTaken", // of them, those that a handler has taken
        "signalsRepeated", // of them, those that had come before
        "signalsUnclaimed", // of them, those that nobody has taken
        "signalsRefused", // of them, those that nobody may take: their token is forged
        "cancelled", // invocations that a signal has cancelled
        "toolCalls", // tools that a model asked for
        "toolFailures", // of them, those without a result
        "toolRefused", // of those, unknown tools and arguments that do not fit
        "toolTimeouts", // and those that did not answer in time
        "toolReplayed", // tool calls answered from the journal
        "toolReconciled", // tool calls answered by their reconciler
    };

    private final Map<String, Histogram> histograms = new LinkedHashMap<>();
    private final Map<String, Counter> counters = new LinkedHashMap<>();

    /**
     * @param running how many invocations run
     * @param waiting how many inputs wait for their turn, or for a checkpoint
     * @param atGate how many calls wait for a checkpoint
     * @param notBack how many invocations the call log knows whose input has not come back
     * @param parked how many invocations are parked
     * @param oldestWaitMillis for how long the one is parked that is so for longest
     * @param stalledSeconds for how long nothing has moved, see {@link Watch}
     */
    DurableCounters(
            MetricGroup operatorGroup,
            Gauge<Integer> running,
            Gauge<Integer> waiting,
            Gauge<Integer> atGate,
            Gauge<Integer> notBack,
            Gauge<Integer> parked,
            Gauge<Long> oldestWaitMillis,
            Gauge<Long> stalledSeconds) {
        MetricGroup group = operatorGroup.addGroup("durable");
        group.gauge("running", running);
        group.gauge("waiting", waiting);
        group.gauge("atGate", atGate);
        group.gauge("notBack", notBack);
        group.gauge("parked", parked);
        group.gauge("oldestWaitMillis", oldestWaitMillis);
        group.gauge("stalledSeconds", stalledSeconds);
        for (String name : HISTOGRAMS) {
            histograms.put(
                    name, group.histogram(name, new DescriptiveStatisticsHistogram(KEPT_VALUES)));
        }
        for (String name : NAMES) {
            counters.put(name, group.counter(name, new ThreadSafeSimpleCounter()));
        }
    }

    /** Adds to a counter. Any thread. */
    public void add(String name, long count) {
        Counter counter = counters.get(name);
        if (counter == null) {
            throw new IllegalArgumentException(
                    "There is no counter " + name + "; known are " + counters.keySet());
        }
        counter.inc(count);
    }

    /** Adds a value to a histogram. Any thread. */
    public void record(String name, long value) {
        Histogram histogram = histograms.get(name);
        if (histogram == null) {
            throw new IllegalArgumentException(
                    "There is no histogram " + name + "; known are " + histograms.keySet());
        }
        synchronized (histogram) {
            histogram.update(value);
        }
    }

    /** All counts as the members of a JSON object. */
    public String toJsonMembers() {
        return counters.entrySet().stream()
                .map(entry -> "\"" + entry.getKey() + "\": " + entry.getValue().getCount())
                .collect(Collectors.joining(", "));
    }
}
