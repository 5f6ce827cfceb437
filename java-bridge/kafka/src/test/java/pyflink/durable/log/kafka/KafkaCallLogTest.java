package pyflink.durable.log.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.TestAttempt.MAX_PARALLELISM;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import pyflink.durable.log.CallLogConformance;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.TestAttempt;

/** Kafka's broker needs Java 17; its client, and so the jar, runs on 11. */
@EnabledForJreRange(min = JRE.JAVA_17)
class KafkaCallLogTest extends CallLogConformance {

    private static final String FETCH_WAIT = "fetch.max.wait.ms";

    private String topicPrefix;

    @BeforeEach
    void nameTopic(TestInfo test) {
        topicPrefix = SharedBroker.topicPrefix(test);
    }

    @Override
    protected Map<String, String> settings() {
        return SharedBroker.settings(topicPrefix);
    }

    @Override
    protected long[] seeds() {
        return new long[] {7};
    }

    @Override
    protected Map<String, String> settings(long seed) {
        return settings();
    }

    private Map<String, String> settingsWith(String name, String value) {
        Map<String, String> settings = new HashMap<>(settings());
        settings.put(name, value);
        return settings;
    }

    private String topic() {
        return topicPrefix + "orders";
    }

    // ------------------------------------------------------------------ the topic

    @Test
    void theTopicHasOnePartitionPerKeyGroupAndKeepsRecordsUntilACheckpoint() throws Exception {
        open(ofJob("a0")).close();
        try (Admin admin = admin()) {
            assertThat(
                            admin.describeTopics(List.of(topic()))
                                    .allTopicNames()
                                    .get()
                                    .get(topic())
                                    .partitions())
                    .hasSize(MAX_PARALLELISM);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic());
            var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            assertThat(config.get("retention.ms").value()).isEqualTo("-1");
            assertThat(config.get("cleanup.policy").value()).isEqualTo("delete");
        }
    }

    @Test
    void refusesATopicWithAnotherNumberOfPartitions() throws Exception {
        create(new NewTopic(topic(), 3, (short) 1));
        assertThatThrownBy(() -> open(ofJob("a0")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(topic() + " has 3 partitions")
                .hasMessageContaining("max parallelism of the operator is " + MAX_PARALLELISM);
    }

    @Test
    void refusesATopicThatIsCompacted() throws Exception {
        create(
                new NewTopic(topic(), MAX_PARALLELISM, (short) 1)
                        .configs(Map.of("cleanup.policy", "compact")));
        assertThatThrownBy(() -> open(ofJob("a0")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cleanup.policy=compact");
    }

    @Test
    void refusesATopicThatDropsWhatIsTooMuch() throws Exception {
        create(
                new NewTopic(topic(), MAX_PARALLELISM, (short) 1)
                        .configs(Map.of("retention.bytes", "1000000000")));
        assertThatThrownBy(() -> open(ofJob("a0")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("retention.bytes=1000000000")
                .hasMessageContaining("Set retention.bytes=-1");
    }

    @Test
    void aTopicThatWasMadeAnewIsAnotherLog() throws Exception {
        String id;
        try (OpenLog log = open(ofJob("a0"))) {
            id = log.log.id();
        }
        try (Admin admin = admin()) {
            admin.deleteTopics(List.of(topic())).all().get();
        }
        TestAttempt restored = ofJob("a0").restoredFrom("a0", 1).expecting(id);
        assertThatThrownBy(() -> open(restored))
                .hasMessageContaining("there is none in the topic " + topic() + " at ");
        open(ofJob("b0")).close();
        assertThatThrownBy(() -> open(restored))
                .hasMessageContaining("goes with the call log " + id + ", and in the topic")
                .hasMessageContaining("a topic that was deleted");
    }

    @Test
    void anEntryThatTheTopicDoesNotTakeFailsAlone() throws Exception {
        create(
                new NewTopic(topic(), MAX_PARALLELISM, (short) 1)
                        .configs(Map.of("max.message.bytes", "200000")));
        try (OpenLog log = open(ofJob("a0"))) {
            assertThatThrownBy(() -> log.append(entry(0, 0, new byte[200_000])))
                    .hasMessageContaining("Return less from the call");
            log.append(entry(0, 1, new byte[100_000]));
        }
    }

    @Test
    void refusesTheTopicOfAnotherOperator() throws Exception {
        Map<String, String> shared = settingsWith("topic", topic());
        try (OpenLog log = ofJob("a0").open(shared)) {
            log.append(entry(0, 0));
        }
        assertThatThrownBy(() -> ofJob("a0").uid("refunds").open(shared))
                .hasMessageContaining("belongs to the operator 'orders', not to 'refunds'")
                .hasMessageContaining("{uid}");
    }

    @Test
    void whatACheckpointCoversIsGoneFromTheTopic() throws Exception {
        try (OpenLog log = open(ofJob("a0"))) {
            log.append(entry(0, 0), entry(1, 0));
            log.log.onSnapshot(1);
            log.append(entry(1, 1));
            log.log.onCheckpointComplete(1);
            log.append(entry(2, 0)); // behind the deletion
        }
        // in each partition the fence is the first, and the newest record stays
        assertThat(beginnings().values()).containsExactlyInAnyOrder(1L, 2L, 0L, 0L, 0L, 0L, 0L, 0L);
    }

    @Test
    void aPartitionThatNothingIsAppendedToKeepsItsNewestFenceAlone() throws Exception {
        for (int attempt = 0; attempt < 3; attempt++) {
            try (OpenLog log = open(ofJob("a0").attempt(attempt))) {
                log.log.onSnapshot(attempt + 1);
                log.log.onCheckpointComplete(attempt + 1);
                log.append(entry(0, attempt)); // behind the deletion
            }
        }
        assertThat(beginnings().values()).containsExactlyInAnyOrder(4L, 2L, 2L, 2L, 2L, 2L, 2L, 2L);
    }

    private Map<TopicPartition, Long> beginnings() throws Exception {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int keyGroup = 0; keyGroup < MAX_PARALLELISM; keyGroup++) {
            partitions.add(new TopicPartition(topic(), keyGroup));
        }
        try (KafkaReader reader = new KafkaReader(settingsOfStorage(), ofJob("a0").context())) {
            return reader.beginnings(partitions);
        }
    }

    // ------------------------------------------------------------------ settings

    @Test
    void refusesAPropertyThatWouldBreakItsPromise() {
        assertThatThrownBy(() -> ofJob("a0").open(settingsWith("properties.acks", "1")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("[acks]");
    }

    /** A start reads up to what is there; Kafka's half a second would be waited for at its end. */
    @Test
    void aReaderHardlyWaitsForRecordsThatAreNotThereUnlessItIsToldTo() {
        assertThat(settingsOfStorage(settings()).consumer()).containsEntry(FETCH_WAIT, "10");
        assertThat(settingsOfStorage(settingsWith("properties." + FETCH_WAIT, "250")).consumer())
                .containsEntry(FETCH_WAIT, "250");
    }

    @Test
    void anUnreachableBrokerIsAnErrorAfterTheRecoveryTimeout() {
        Map<String, String> settings = settingsWith("bootstrap.servers", "127.0.0.1:1");
        settings.put("recovery.timeout", "1 s");
        assertThatThrownBy(() -> ofJob("a0").open(settings))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1:1")
                .hasMessageContaining("recovery.timeout");
    }

    @Test
    void aServerThatCannotBeNamedIsAnError() {
        assertThatThrownBy(
                        () -> ofJob("a0").open(settingsWith("bootstrap.servers", "no.invalid:1")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no.invalid:1");
    }

    // ------------------------------------------------------------------ release 0.1

    /** It ordered the records of its attempts by a number that these counted themselves. */
    @Test
    void recordsOfRelease01AreReadInTheirOrderAndNoneBehindAFence() throws Exception {
        create(new NewTopic(topic(), MAX_PARALLELISM, (short) 1));
        sendAs01(2, entry(6, 1, "second"));
        sendAs01(1, entry(6, 1, "first, and late"));
        try (OpenLog log = open(ofJob("a0"))) {
            assertThat(log.recovered)
                    .containsExactly(entry(6, 1, "first, and late"), entry(6, 1, "second"));
            log.append(entry(6, 2));
            sendAs01(9, entry(6, 2, "of a zombie"));
            log.append(entry(6, 3));
        }
        try (OpenLog log = open(ofJob("a0").attempt(1))) {
            assertThat(slots(log.recovered)).containsExactly(1, 1, 2, 3);
            assertThat(log.recovered).doesNotContain(entry(6, 2, "of a zombie"));
        }
    }

    private void sendAs01(long generation, LogEntry entry) throws Exception {
        byte[] prefix = KafkaRecord.prefix("orders", ofJob("a0").context().writer(generation), 0);
        prefix[0] = 1;
        byte[] value = KafkaRecord.value(prefix, LogEntrySerializer.toBytes(entry));
        KafkaSettings settings = settingsOfStorage();
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        settings.producer(settings.appendTimeout()),
                        new ByteArraySerializer(),
                        new ByteArraySerializer())) {
            producer.send(KafkaFences.record(topic(), entry.keyGroup(), value)).get();
        }
    }

    private KafkaSettings settingsOfStorage() {
        return settingsOfStorage(settings());
    }

    private static KafkaSettings settingsOfStorage(Map<String, String> given) {
        Map<String, String> settings = new HashMap<>(given);
        settings.remove("type");
        return KafkaSettings.of(settings, ofJob("a0").context());
    }

    private static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", SharedBroker.get().address()));
    }

    private static void create(NewTopic topic) throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(topic)).all().get();
        }
    }
}
