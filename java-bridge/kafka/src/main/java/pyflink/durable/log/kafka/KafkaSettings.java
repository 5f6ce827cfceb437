package pyflink.durable.log.kafka;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogSettings;

/**
 * The settings of the log in Kafka, and what they mean for Kafka's clients.
 *
 * <ul>
 *   <li>{@code bootstrap.servers}
 *   <li>{@code topic}: default {@code pyflink-durable-{uid}}; {@code {uid}} is replaced by the
 *       operator's uid
 *   <li>{@code append.timeout}: an entry that is not durable by then has failed, default 30 s
 *   <li>{@code recovery.timeout}: how long a start waits for Kafka without any progress, default 2
 *       min
 *   <li>{@code max.entry.size}: default 16 mb
 *   <li>{@code replication.factor}: of the topic if it is created; default the broker's
 *   <li>{@code properties.*}: properties of Kafka's clients, mainly for security
 * </ul>
 */
final class KafkaSettings {

    /** Beside the entry, what a record or a batch of one record holds. */
    private static final int OVERHEAD_BYTES = 64 << 10;

    private static final int LINGER_MILLIS = 50;

    private static final int FETCH_WAIT_MILLIS = 10;

    private final String bootstrapServers;
    private final String topic;
    private final Duration appendTimeout;
    private final Duration recoveryTimeout;
    private final int maxEntryBytes;
    private final OptionalInt replicationFactor;
    private final Map<String, String> properties;

    private KafkaSettings(LogSettings given, String operatorUid) {
        this.bootstrapServers = given.required("bootstrap.servers");
        this.topic =
                given.text("topic", "pyflink-durable-{uid}").replace("{uid}", legible(operatorUid));
        this.appendTimeout = given.duration("append.timeout", "30 s");
        this.recoveryTimeout = given.duration("recovery.timeout", "2 min");
        this.maxEntryBytes = given.bytes("max.entry.size", "16 mb");
        this.replicationFactor = given.number("replication.factor");
        this.properties = given.startingWith("properties.");
        given.refuseUnknown();
        if (appendTimeout.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException(
                    "The setting 'append.timeout' of the call log 'kafka' must be 1 s or more");
        }
    }

    static KafkaSettings of(Map<String, String> settings, CallLogContext context) {
        LogSettings given = new LogSettings(KafkaCallLogFactory.IDENTIFIER, settings);
        KafkaSettings made = new KafkaSettings(given, context.operatorUid());
        // A property that is refused is an error before the first contact.
        made.producer(made.appendTimeout);
        made.consumer();
        return made;
    }

    /** A uid as part of a topic's name; one that had to be changed gets a checksum. */
    private static String legible(String uid) {
        String legible = uid.replaceAll("[^A-Za-z0-9._-]", "_");
        if (legible.equals(uid) && uid.length() <= 200) {
            return uid;
        }
        CRC32C crc = new CRC32C();
        crc.update(uid.getBytes(StandardCharsets.UTF_8));
        return String.format("%.190s-%08x", legible, crc.getValue());
    }

    String bootstrapServers() {
        return bootstrapServers;
    }

    String topic() {
        return topic;
    }

    Duration appendTimeout() {
        return appendTimeout;
    }

    Duration recoveryTimeout() {
        return recoveryTimeout;
    }

    int maxEntryBytes() {
        return maxEntryBytes;
    }

    /** As Kafka's topics have it; empty for the broker's default. */
    Optional<Short> replicationFactor() {
        return replicationFactor.isPresent()
                ? Optional.of((short) replicationFactor.getAsInt())
                : Optional.empty();
    }

    /** The topic's {@code max.message.bytes} for the longest entry. */
    int maxMessageBytes() {
        return maxEntryBytes + OVERHEAD_BYTES;
    }

    /** The longest entry that a topic with this {@code max.message.bytes} takes. */
    int maxEntryBytes(int maxMessageBytes) {
        return Math.min(maxEntryBytes, maxMessageBytes - OVERHEAD_BYTES);
    }

    Map<String, Object> admin() {
        return client(Map.of());
    }

    Map<String, Object> consumer() {
        Map<String, Object> config =
                client(
                        Map.of(
                                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false",
                                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
                                ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false",
                                ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "10000"));
        // It asks ahead for records that nobody sends, and its close waits for the answer.
        config.putIfAbsent(
                ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, String.valueOf(FETCH_WAIT_MILLIS));
        return config;
    }

    /**
     * @param patience how long a record is sent again before it has failed
     */
    Map<String, Object> producer(Duration patience) {
        long timeout = patience.toMillis();
        Map<String, String> fixed = new HashMap<>();
        fixed.put(ProducerConfig.ACKS_CONFIG, "all");
        fixed.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
        fixed.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "none");
        fixed.put(ProducerConfig.RETRIES_CONFIG, String.valueOf(Integer.MAX_VALUE));
        fixed.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, String.valueOf(timeout));
        fixed.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, String.valueOf(timeout));
        // A group ends with a flush: the producer need not guess when a batch is complete.
        fixed.put(ProducerConfig.LINGER_MS_CONFIG, String.valueOf(LINGER_MILLIS));
        fixed.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, String.valueOf(maxMessageBytes()));
        fixed.put(
                ProducerConfig.BUFFER_MEMORY_CONFIG,
                String.valueOf(Math.max(32L << 20, 2L * maxMessageBytes())));
        Map<String, Object> config = client(fixed);
        // below the delivery's, so that there is time for another attempt
        config.putIfAbsent(
                CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, String.valueOf(timeout / 2));
        return config;
    }

    private Map<String, Object> client(Map<String, String> fixed) {
        TreeSet<String> refused = new TreeSet<>(properties.keySet());
        refused.retainAll(fixed.keySet());
        if (properties.containsKey(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG)) {
            refused.add(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG);
        }
        if (!refused.isEmpty()) {
            throw new IllegalArgumentException(
                    String.format(
                            "The call log 'kafka' sets the properties %s of Kafka's clients itself:"
                                    + " its promises rest on them. Leave them out.",
                            refused));
        }
        Map<String, Object> config = new HashMap<>();
        config.put(CommonClientConfigs.METRIC_REPORTER_CLASSES_CONFIG, "");
        // Else a client that has lost all brokers forgets them, and asks for them without a pause.
        config.put(CommonClientConfigs.METADATA_RECOVERY_STRATEGY_CONFIG, "none");
        properties.forEach((name, value) -> config.put(name, relocated(value)));
        config.putAll(fixed);
        config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
        return config;
    }

    /** Names of Kafka's classes (login modules and the like), as they are in this jar. */
    private static String relocated(String value) {
        // Joined here: the name as a literal would be relocated too.
        String usual = String.join(".", "org", "apache", "kafka") + ".";
        String here = KafkaProducer.class.getName().replace("clients.producer.KafkaProducer", "");
        return value.startsWith(here) ? value : value.replace(usual, here);
    }
}
