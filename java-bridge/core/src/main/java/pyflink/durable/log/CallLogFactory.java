package pyflink.durable.log;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/**
 * Makes the {@link CallLog} of one kind; found by {@link ServiceLoader}, so that a kind with
 * dependencies of its own can be a jar of its own.
 */
public interface CallLogFactory {

    /** The setting that names the kind of log. */
    String TYPE = "type";

    /** The kind of log this factory makes, as {@link #TYPE} names it. */
    String identifier();

    /**
     * Makes the log of one attempt of one subtask.
     *
     * @param settings those of the kind, without {@link #TYPE}
     * @throws IllegalArgumentException if a setting is missing, wrong or unknown
     */
    CallLog create(Map<String, String> settings, CallLogContext context) throws IOException;

    /** Makes the log that the settings name. */
    static CallLog open(Map<String, String> settings, CallLogContext context, ClassLoader loader)
            throws IOException {
        Map<String, CallLogFactory> factories = new TreeMap<>();
        for (CallLogFactory factory : ServiceLoader.load(CallLogFactory.class, loader)) {
            factories.put(factory.identifier(), factory);
        }
        Map<String, String> own = new HashMap<>(settings);
        String type = own.remove(TYPE);
        CallLogFactory factory = type == null ? null : factories.get(type);
        if (factory == null) {
            throw new IllegalArgumentException(
                    String.format(
                            "There is no call log of the type '%s'; there are %s. Each type but"
                                    + " 'file' is in a jar of its own (kafka:"
                                    + " pyflink-durable-kafka-VERSION.jar), which must be shipped"
                                    + " with the job.",
                            type, factories.keySet()));
        }
        return factory.create(own, context);
    }
}
