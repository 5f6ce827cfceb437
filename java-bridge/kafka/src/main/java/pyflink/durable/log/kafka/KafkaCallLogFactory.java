package pyflink.durable.log.kafka;

import java.io.IOException;
import java.util.Map;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.CallLogFactory;
import pyflink.durable.log.GroupCommitLog;

/** The log {@code kafka}: a topic with one partition per key group. See {@link KafkaSettings}. */
public final class KafkaCallLogFactory implements CallLogFactory {

    static final String IDENTIFIER = "kafka";

    @Override
    public String identifier() {
        return IDENTIFIER;
    }

    @Override
    public CallLog create(Map<String, String> settings, CallLogContext context) throws IOException {
        KafkaSettings given = KafkaSettings.of(settings, context);
        return new GroupCommitLog(context, KafkaStorage.open(given, context));
    }
}
