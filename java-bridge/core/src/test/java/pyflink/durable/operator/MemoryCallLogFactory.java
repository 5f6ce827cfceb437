package pyflink.durable.operator;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.CallLogFactory;

/** Gives the operator of a test the {@link MemoryCallLog} that its settings name. */
public final class MemoryCallLogFactory implements CallLogFactory {

    static final String IDENTIFIER = "memory";

    static final Map<String, MemoryCallLog> LOGS = new ConcurrentHashMap<>();

    @Override
    public String identifier() {
        return IDENTIFIER;
    }

    @Override
    public CallLog create(Map<String, String> settings, CallLogContext context) throws IOException {
        String name = settings.get("name");
        context.requireLog("memory", name);
        return LOGS.get(name).open(context);
    }
}
