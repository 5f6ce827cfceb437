package pyflink.durable.log.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.OpenLog.pending;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogEntrySerializer;
import pyflink.durable.log.LogWriter;
import pyflink.durable.log.OpenLog;
import pyflink.durable.log.ZombieConformance;

@EnabledForJreRange(min = JRE.JAVA_17)
class KafkaZombieTest extends ZombieConformance {

    private String topicPrefix;

    @BeforeEach
    void nameTopic(TestInfo test) {
        topicPrefix = SharedBroker.topicPrefix(test);
    }

    @Override
    protected Map<String, String> settings() {
        return SharedBroker.settings(topicPrefix);
    }

    /** What the zombie's producer sends again when its process goes on, answer or no answer. */
    @Test
    void aLateRecordIsLeftOutAndDoesNotEndTheSuccessor() throws Exception {
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0)); // at 1, behind the fence at 0
            try (OpenLog successor = open(ofJob("a0").attempt(1))) {
                successor.append(entry(0, 0));
                sendLate(0, pending(0, 0));
                sendLate(0, pending(0, 1));
                successor.append(entry(0, 2));
            }
            try (OpenLog next = open(ofJob("a0").attempt(2))) {
                assertThat(next.recovered).containsExactly(pending(0, 0), entry(0, 0), entry(0, 2));
            }
        }
    }

    /** In 0.1 the successor in a trimmed topic had the zombie's generation: both were the first. */
    @Test
    void whenACheckpointHasTrimmedTheFenceTheNewestRecordTellsOfIt() throws Exception {
        OpenLog successor;
        try (OpenLog zombie = open(ofJob("a0"))) {
            zombie.append(pending(0, 0));
            successor = open(ofJob("a0").attempt(1));
            successor.append(entry(0, 0, "seen by the handler"));
            successor.log.onSnapshot(1);
            successor.log.onCheckpointComplete(1);
            successor.append(entry(3, 0)); // behind the deletion, in another partition
        }
        sendLate(0, pending(0, 0));
        successor.close();
        // With the epoch of the zombie alone it would be skipped; so the reader has that epoch.
        try (OpenLog next = open(ofJob("a0").attempt(2))) {
            assertThat(next.recovered).doesNotContain(pending(0, 0)).contains(entry(3, 0));
        }
    }

    @Test
    void aSecondJobOnTheTopicEndsTheFirstInsteadOfTrimmingItsRecords() throws Exception {
        try (OpenLog first = open(ofJob("a0"));
                OpenLog second = open(ofJob("b0"))) {
            second.append(entry(0, 0));
            assertThatThrownBy(() -> first.append(entry(0, 0)))
                    .hasMessageContaining("(job b0, subtask 0, attempt 0) has taken over")
                    .hasMessageContaining("a second job is using the same topic");
        }
    }

    /** As the zombie of generation 0 does, whose epoch is 0. */
    private void sendLate(int keyGroup, LogEntry entry) throws Exception {
        LogWriter writer = ofJob("a0").context().writer(0);
        byte[] value =
                KafkaRecord.value(
                        KafkaRecord.prefix("orders", writer, 0), LogEntrySerializer.toBytes(entry));
        Map<String, Object> client =
                Map.of("bootstrap.servers", SharedBroker.get().address(), "acks", "all");
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(client, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.send(KafkaFences.record(topicPrefix + "orders", keyGroup, value)).get();
        }
    }
}
