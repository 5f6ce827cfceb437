package pyflink.durable.operator;

import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MeterView;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.ThreadSafeSimpleCounter;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * Metrics that a handler has registered, by the number that Python knows each by. Any thread. What
 * crosses is what may cross in a {@link DurableBridge}.
 *
 * <p>PyFlink's own hand Java objects to Python, whose counters lose what two threads count at a
 * time, and have a reporter's thread run Python for a gauge, with the state of another thread.
 */
public final class HandlerMetrics {

    private static final int VALUES_OF_DISTRIBUTION = 1_000;

    /** What a number from Python does to a metric. */
    private abstract static class Entry {
        abstract void take(long value);

        long count() {
            throw new UnsupportedOperationException("This metric has no count.");
        }
    }

    private static final class Counting extends Entry {
        private final Counter counter = new ThreadSafeSimpleCounter();

        @Override
        void take(long value) {
            counter.inc(value);
        }

        @Override
        long count() {
            return counter.getCount();
        }
    }

    private static final class Holding extends Entry {
        private volatile long last;

        @Override
        void take(long value) {
            last = value;
        }
    }

    private static final class Distributing extends Entry {
        private final Histogram histogram =
                new DescriptiveStatisticsHistogram(VALUES_OF_DISTRIBUTION);

        @Override
        synchronized void take(long value) {
            histogram.update(value);
        }
    }

    private final MetricGroup operatorGroup;
    private final List<Entry> entries = new ArrayList<>();

    HandlerMetrics(MetricGroup operatorGroup) {
        this.operatorGroup = operatorGroup;
    }

    /**
     * Registers a metric.
     *
     * @param kind {@code counter}, {@code meter}, {@code gauge} or {@code distribution}
     * @param seconds the time span of a meter's rate
     * @param groups two for each group that the metric is in: its name, and its value or null
     */
    public synchronized int register(String kind, String name, int seconds, Object[] groups) {
        MetricGroup group = operatorGroup;
        for (int i = 0; i < groups.length; i += 2) {
            group = within(group, (String) groups[i], (String) groups[i + 1]);
        }
        entries.add(registered(kind, name, seconds, group));
        return entries.size() - 1;
    }

    private static MetricGroup within(MetricGroup group, String name, @Nullable String value) {
        return value == null ? group.addGroup(name) : group.addGroup(name, value);
    }

    private static Entry registered(String kind, String name, int seconds, MetricGroup group) {
        switch (kind) {
            case "counter":
                Counting counting = new Counting();
                group.counter(name, counting.counter);
                return counting;
            case "meter":
                Counting events = new Counting();
                group.meter(name, new MeterView(events.counter, seconds));
                return events;
            case "gauge":
                Holding holding = new Holding();
                group.gauge(name, () -> holding.last);
                return holding;
            case "distribution":
                Distributing distributing = new Distributing();
                group.histogram(name, distributing.histogram);
                return distributing;
            default:
                throw new IllegalArgumentException("There is no kind of metric " + kind);
        }
    }

    public void update(int metric, long value) {
        entry(metric).take(value);
    }

    /** How much was counted. */
    public long count(int metric) {
        return entry(metric).count();
    }

    private synchronized Entry entry(int metric) {
        return entries.get(metric);
    }
}
