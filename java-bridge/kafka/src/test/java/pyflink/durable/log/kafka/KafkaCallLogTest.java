package pyflink.durable.log.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.OpenLog.pending;
import static pyflink.durable.log.TestAttempt.MAX_PARALLELISM;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;
import pyflink.durable.log.CallLogConformance;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.TestAttempt;

/** Kafka's broker needs Java 17; its client, and so the jar, runs on 11. */
@EnabledForJreRange(min = JRE.JAVA_17)
class KafkaCallLogTest extends CallLogConformance {

    @TempDir static Path directory;
    private static KafkaBroker broker;

    private String topicPrefix;

    @BeforeAll
    static void startBroker() throws Exception {
        broker = new KafkaBroker(directory);
        broker.start(); // the first test's log finds no broker yet, and waits
    }

    @AfterAll
    static void endBroker() throws Exception {
        broker.close();
    }

    @BeforeEach
    void nameTopic(TestInfo test) {
        topicPrefix = test.getTestMethod().orElseThrow().getName() + "-";
    }

    @Override
    protected Map<String, String> settings() {
        return Map.of(
                "type",
                "kafka",
                "bootstrap.servers",
                broker.address(),
                "topic",
                topicPrefix + "{uid}",
                "append.timeout",
                "20 s");
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
        KafkaSettings settings = settingsOfStorage();
        try (KafkaRecovery recovery = new KafkaRecovery(settings, ofJob("a0").context())) {
            recovery.run(entry -> {});
            assertThat(recovery.beginnings().values())
                    .containsExactlyInAnyOrder(1L, 1L, 0L, 0L, 0L, 0L, 0L, 0L);
        }
    }

    // ------------------------------------------------------------------ settings

    @Test
    void refusesAPropertyThatWouldBreakItsPromise() {
        assertThatThrownBy(() -> ofJob("a0").open(settingsWith("properties.acks", "1")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("[acks]");
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

    // ------------------------------------------------------------------ attempts at the same time

    @Test
    void whatAnOldAttemptStillAppendsComesBeforeWhatItsSuccessorAppended() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0));
            try (OpenLog successor = open(ofJob("a0").attempt(1))) {
                successor.append(entry(0, 0));
                zombie.append(pending(0, 0), pending(0, 1));
            }
        }
        try (OpenLog third = open(ofJob("a0").attempt(2))) {
            assertThat(third.recovered)
                    .containsExactly(pending(0, 0), pending(0, 0), pending(0, 1), entry(0, 0));
        }
    }

    private KafkaSettings settingsOfStorage() {
        Map<String, String> settings = new HashMap<>(settings());
        settings.remove("type");
        return KafkaSettings.of(settings, ofJob("a0").context());
    }

    private static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", broker.address()));
    }

    private static void create(NewTopic topic) throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(topic)).all().get();
        }
    }
}
