package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.Meter;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.Test;

/** What a handler registers is a metric of the operator. */
class HandlerMetricsTest {

    private static final Object[] NO_GROUPS = {};

    private final Map<String, Metric> registered = new LinkedHashMap<>();
    private final HandlerMetrics metrics = new HandlerMetrics(new NotingGroup("operator"));

    /** Keeps what is registered, by its path. */
    private final class NotingGroup extends UnregisteredMetricsGroup {
        private final String path;

        private NotingGroup(String path) {
            this.path = path;
        }

        @Override
        public MetricGroup addGroup(String name) {
            return new NotingGroup(path + "/" + name);
        }

        @Override
        public MetricGroup addGroup(String key, String value) {
            return new NotingGroup(path + "/" + key + "=" + value);
        }

        @Override
        public <C extends Counter> C counter(String name, C counter) {
            return noted(name, counter);
        }

        @Override
        public <T, G extends Gauge<T>> G gauge(String name, G gauge) {
            return noted(name, gauge);
        }

        @Override
        public <H extends Histogram> H histogram(String name, H histogram) {
            return noted(name, histogram);
        }

        @Override
        public <M extends Meter> M meter(String name, M meter) {
            return noted(name, meter);
        }

        private <M extends Metric> M noted(String name, M metric) {
            registered.put(path + "/" + name, metric);
            return metric;
        }
    }

    @Test
    void threadsCountWithoutLosses() {
        int calls = metrics.register("counter", "calls", 0, NO_GROUPS);

        IntStream.range(0, 10_000).parallel().forEach(i -> metrics.update(calls, 2));
        metrics.update(calls, -1);

        assertThat(metrics.count(calls)).isEqualTo(19_999);
        assertThat(((Counter) registered.get("operator/calls")).getCount()).isEqualTo(19_999);
    }

    @Test
    void aMeterCountsEvents() {
        int events = metrics.register("meter", "events", 60, NO_GROUPS);
        metrics.update(events, 3);

        assertThat(metrics.count(events)).isEqualTo(3);
        assertThat(((Meter) registered.get("operator/events")).getCount()).isEqualTo(3);
    }

    @Test
    void aGaugeHasTheLastValue() {
        int depth = metrics.register("gauge", "depth", 0, NO_GROUPS);
        metrics.update(depth, 5);
        metrics.update(depth, 4);

        assertThat(((Gauge<?>) registered.get("operator/depth")).getValue()).isEqualTo(4L);
        assertThatThrownBy(() -> metrics.count(depth)).hasMessage("This metric has no count.");
    }

    @Test
    void aDistributionHasQuantiles() {
        int millis = metrics.register("distribution", "millis", 0, NO_GROUPS);
        IntStream.rangeClosed(1, 99).forEach(i -> metrics.update(millis, i));

        Histogram histogram = (Histogram) registered.get("operator/millis");
        assertThat(histogram.getStatistics().getQuantile(0.5)).isEqualTo(50);
    }

    @Test
    void groupsNestAndHaveValues() {
        metrics.register("counter", "calls", 0, new Object[] {"shop", null, "region", "eu"});

        assertThat(registered).containsOnlyKeys("operator/shop/region=eu/calls");
    }

    @Test
    void anUnknownKindIsRefused() {
        assertThatThrownBy(() -> metrics.register("timer", "t", 0, NO_GROUPS))
                .hasMessage("There is no kind of metric timer");
    }
}
