package pyflink.durable.state;

import java.util.Comparator;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import org.apache.flink.api.common.state.BroadcastState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeutils.base.BooleanSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks whether a job still names every version of its handler that has something in flight.
 *
 * <p>A checkpoint tells which versions its job named, and what is in flight has one of these. So a
 * restore by a job that names all of them, as after every failure, reads nothing. If one is not
 * named any more, all that is in flight is walked over before a handler runs, what is parked among
 * it: found only when it goes on, days later, the job would fail then, and could not be taken back.
 *
 * <p>Broadcast state, for the reasons given at {@link CallLogState}. A job that never named a
 * version has none.
 */
public final class VersionState {

    static final String NAME = "durable-handler-versions";

    /** In the state, where no name can be null. */
    private static final String WITHOUT = "";

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    private final HandlerVersions versions;
    private final Set<String> gone;

    /**
     * To be made before anything is accepted.
     *
     * @param restored whether there is state that a checkpoint or a savepoint left
     */
    public VersionState(OperatorStateStore store, HandlerVersions versions, boolean restored)
            throws Exception {
        this.versions = versions;
        this.gone = new HashSet<>();
        boolean known = store.getRegisteredBroadcastStateNames().contains(NAME);
        if (restored && !known) {
            gone.add(null);
        }
        if (known || !versions.named().equals(HandlerVersions.none().named())) {
            BroadcastState<String, Boolean> names =
                    store.getBroadcastState(
                            new MapStateDescriptor<>(
                                    NAME, StringSerializer.INSTANCE, BooleanSerializer.INSTANCE));
            for (Map.Entry<String, Boolean> entry : names.entries()) {
                gone.add(entry.getKey().equals(WITHOUT) ? null : entry.getKey());
            }
            names.clear();
            for (String name : versions.named()) {
                names.put(name == null ? WITHOUT : name, true);
            }
        }
        gone.removeAll(versions.named());
    }

    /** By which new inputs are handled; null if the job names none. */
    @Nullable
    public String current() {
        return versions.current();
    }

    /**
     * Refuses what is in flight of a version that is not named. Selects other keys.
     *
     * @param operator its name
     * @param parked null if nothing can be
     * @throws IllegalStateException there is such
     */
    public <K, IN> void check(
            String operator, InFlightState<K, IN> inFlight, @Nullable ParkedState<K, IN> parked)
            throws Exception {
        if (gone.isEmpty()) {
            return;
        }
        Map<String, Long> counts =
                new TreeMap<>(Comparator.nullsFirst(Comparator.<String>naturalOrder()));
        Consumer<Input<IN>> count =
                input -> {
                    if (gone.contains(input.handlerVersion())) {
                        counts.merge(input.handlerVersion(), 1L, Long::sum);
                    }
                };
        inFlight.forEachInput(count);
        if (parked != null) {
            parked.forEachInput(count);
        }
        if (!counts.isEmpty()) {
            throw new IllegalStateException(refusal(operator, counts));
        }
        LOG.info(
                "Operator {} has nothing in flight of versions that its job names no more: {}",
                operator,
                gone.stream().map(VersionState::shown).collect(Collectors.joining(", ")));
    }

    private String refusal(String operator, Map<String, Long> counts) {
        String found =
                counts.entrySet().stream()
                        .map(entry -> shown(entry.getKey()) + ": " + entry.getValue())
                        .collect(Collectors.joining(", "));
        String named =
                versions.named().stream()
                        .sorted(Comparator.nullsFirst(Comparator.naturalOrder()))
                        .map(VersionState::shown)
                        .collect(Collectors.joining(", "));
        String missing =
                counts.keySet().stream()
                        .map(version -> shown(version) + ": <its handler>")
                        .collect(Collectors.joining(", "));
        return String.format(
                "Operator %s was restored with inputs in flight that versions of its handler have"
                        + " accepted which this job does not name. Of each, in this subtask: %s. The"
                        + " job names %s. Nothing has run. Give durable_process(...,"
                        + " previous={%s}), for as long as `pyflink-durable inspect` shows such, or"
                        + " restore the release that accepted them.",
                operator, found, named, missing);
    }

    /** As Python has it. */
    private static String shown(@Nullable String version) {
        return version == null ? "None" : '"' + version + '"';
    }
}
