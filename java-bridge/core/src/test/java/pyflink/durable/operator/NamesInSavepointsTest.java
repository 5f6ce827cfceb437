package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.StreamStateHandle;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.Test;
import pyflink.durable.state.Retention;

/**
 * The classes whose names stand in every savepoint. Flink writes down the class of a serializer's
 * snapshot and, at a restore, loads it by that name and calls its public constructor that takes
 * nothing. If such a class is moved, renamed or narrowed, no savepoint of any release is readable
 * any more ({@code ClassNotFoundException}); so these names are for good.
 */
class NamesInSavepointsTest {

    private static final Set<String> NAMES =
            Set.of(
                    "pyflink.durable.operator.InputSerializer$InputSerializerSnapshot",
                    "pyflink.durable.state.ParkedHead$Snapshot",
                    "pyflink.durable.state.SignalSerializer$SignalSerializerSnapshot",
                    "pyflink.durable.journal.CallSerializer$CallSerializerSnapshot");

    @Test
    void noSavepointNamesAnyOtherClassOfThisPackage() throws Exception {
        MemoryCallLog log = new MemoryCallLog();
        DurableHarness.Setup setup =
                DurableHarness.setup()
                        .callLog(log)
                        .versions("2")
                        .retention(new Retention(true, 0, 0).withSignals(1_000));
        OperatorSubtaskState first;
        long checkpoint;
        try (DurableHarness harness = setup.open()) {
            checkpoint = harness.checkpoint();
            harness.send("unclaimed", "1");
            harness.operator.host().handler("unclaimed:1").call(0, "charge");
            log.attempt().flush();
            first = harness.snapshotOf(checkpoint);
        }
        try (DurableHarness harness = setup.open(first, checkpoint)) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").putState("total", "10");
            harness.end("a:1");
            harness.send("a", "2", 1_000);
            harness.operator.host().handler("a:2").call(0, "charge");
            harness.flink.processWatermark(new Watermark(0));
            OperatorSubtaskState snapshot = harness.snapshot();
            assertThat(namesIn(snapshot, "durable-[\\w-]+"))
                    .as("a snapshot with everything in it")
                    .containsExactlyInAnyOrder(
                            "durable-call-log",
                            "durable-handler-versions",
                            "durable-inputs",
                            "durable-journal",
                            "durable-parked",
                            "durable-parked-head",
                            "durable-parked-limits",
                            "durable-parked-since",
                            "durable-parked-wakes",
                            "durable-sequence",
                            "durable-signals",
                            "durable-signals-expiry",
                            "durable-signals-next",
                            "durable-signals-seen",
                            "durable-unclaimed",
                            "durable-user-state",
                            "durable-watermark");
            assertThat(namesIn(snapshot, "pyflink\\.durable[\\w.$]*")).isEqualTo(NAMES);
        }
    }

    @Test
    void eachIsThereAndCanBeMadeByFlink() throws Exception {
        for (String name : NAMES) {
            Class.forName(name).getConstructor().newInstance();
        }
    }

    private static Set<String> namesIn(OperatorSubtaskState snapshot, String pattern)
            throws IOException {
        Set<String> names = new TreeSet<>();
        Stream<?> handles =
                Stream.concat(
                        snapshot.getManagedKeyedState().stream(),
                        snapshot.getManagedOperatorState().stream());
        for (Object each : (Iterable<Object>) handles.map(Object.class::cast)::iterator) {
            try (InputStream in = ((StreamStateHandle) each).openInputStream()) {
                String content = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
                Matcher matcher = Pattern.compile(pattern).matcher(content);
                while (matcher.find()) {
                    names.add(matcher.group());
                }
            }
        }
        return names;
    }
}
