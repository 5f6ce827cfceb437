package pyflink.durable.log.kafka;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import pyflink.durable.log.CallLogContext;

/**
 * Makes an attempt the one writer of its partitions, and tells it when it no longer is.
 *
 * <p>Kafka takes records of whoever sends them, also of an old attempt that still runs: a zombie,
 * which a garbage collection or a lost connection has stopped, and which goes on when its successor
 * has long been at work. So each attempt begins with a record of its own in each of its partitions,
 * the <b>fence</b>. The rules, and the failure each prevents:
 *
 * <ul>
 *   <li>The fence is appended first, and then the partition is read up to it. Were it read first, a
 *       zombie could append in between: its call would start, and the successor not know of it.
 *   <li>An append has succeeded only if no fence stands between the writer's own and it. So
 *       whatever has succeeded stands before the successor's fence, and the successor has read it.
 *       A zombie's late append fails, and its call does not start.
 *   <li>A late append is in the topic all the same, and readers leave it out: its generation is
 *       lower than a fence before it. Else a zombie's late PENDING would replace the outcome that
 *       its successor has found, and an outcome that a handler saw would be lost.
 *   <li>A writer that finds records of zombies between its own goes on: they have failed where they
 *       came from. Else each zombie would end its successor, too.
 *   <li>The generation is the fence's offset. Offsets go on when a partition is trimmed. A number
 *       counted from the records would begin again, and be the zombie's, too.
 * </ul>
 *
 * <p>What a fence cannot do is stop a call: one whose PENDING was appended in time, and whose
 * process then stood still before the call started, starts when the process goes on.
 */
final class KafkaFences {

    private final KafkaSettings settings;
    private final CallLogContext context;

    /** Of each own partition, the offset of the fence. */
    private final Map<TopicPartition, Long> generations = new HashMap<>();

    /** Of each own partition, the offset behind the newest own record. */
    private final Map<TopicPartition, Long> ends = new HashMap<>();

    KafkaFences(KafkaSettings settings, CallLogContext context) {
        this.settings = settings;
        this.context = context;
    }

    /** Puts a fence into each of the own partitions; to be called before they are read. */
    void put() throws IOException {
        KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        settings.producer(settings.recoveryTimeout()),
                        new ByteArraySerializer(),
                        new ByteArraySerializer());
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int keyGroup : context.keyGroups()) {
                sent.add(producer.send(fence(keyGroup)));
            }
            producer.flush();
            for (Future<RecordMetadata> each : sent) {
                RecordMetadata durable = each.get();
                TopicPartition partition = partitionOf(durable);
                generations.put(partition, offsetOf(durable));
                ends.put(partition, offsetOf(durable) + 1);
            }
        } catch (ExecutionException | KafkaException e) {
            if (e instanceof InterruptException) {
                throw interrupted(e);
            }
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
            throw new IOException(
                    String.format(
                            "The call log cannot write to the topic %s at %s within the"
                                    + " recovery.timeout of %s: %s",
                            settings.topic(),
                            settings.bootstrapServers(),
                            settings.recoveryTimeout(),
                            cause.getMessage()),
                    cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted(e);
        } finally {
            producer.close(Duration.ZERO);
        }
    }

    private ProducerRecord<byte[], byte[]> fence(int keyGroup) throws IOException {
        byte[] value =
                KafkaRecord.prefix(
                        context.operatorUid(),
                        context.writer(KafkaRecord.UNKNOWN),
                        context.firstEpoch());
        return record(settings.topic(), keyGroup, value);
    }

    static ProducerRecord<byte[], byte[]> record(String topic, int keyGroup, byte[] value) {
        byte[] key = ByteBuffer.allocate(Integer.BYTES).putInt(keyGroup).array();
        return new ProducerRecord<>(topic, keyGroup, key, value);
    }

    /** The offset of the fence in an own partition. */
    long generation(TopicPartition partition) {
        return generations.get(partition);
    }

    /** Of each own partition, the offset behind the newest own record: first it is the fence. */
    Map<TopicPartition, Long> ends() {
        return ends;
    }

    /**
     * Takes note of an own record; to be called in the order in which they were sent.
     *
     * @return the record's offset
     * @throws IOException if another writer has put its fence before it
     */
    long appended(RecordMetadata durable) throws IOException {
        TopicPartition partition = partitionOf(durable);
        long offset = offsetOf(durable);
        long expected = ends.get(partition);
        if (offset != expected) {
            requireNoFence(partition, expected, offset);
        }
        ends.put(partition, offset + 1);
        return offset;
    }

    private void requireNoFence(TopicPartition partition, long from, long to) throws IOException {
        List<KafkaRecord> fences = new ArrayList<>();
        boolean whole;
        try (KafkaReader reader = new KafkaReader(settings, context)) {
            reader.read(
                    Map.of(partition, from),
                    Map.of(partition, to),
                    (at, offset, record) -> {
                        if (record.isFence()) {
                            fences.add(record);
                        }
                    });
            // Only a successor deletes beyond what this writer has appended.
            whole = reader.beginnings(List.of(partition)).get(partition) <= from;
        }
        if (!fences.isEmpty() || !whole) {
            throw new IOException(
                    String.format(
                            "Another attempt (%s) has taken over the call log of %s in the topic"
                                    + " %s, so this one may not start calls any more. If this is"
                                    + " not an old attempt: a second job is using the same topic;"
                                    + " give it a topic of its own.",
                            fences.isEmpty() ? "unknown" : fences.get(0).writer(),
                            context,
                            settings.topic()));
        }
    }

    private static TopicPartition partitionOf(RecordMetadata durable) {
        return new TopicPartition(durable.topic(), durable.partition());
    }

    private static long offsetOf(RecordMetadata durable) throws IOException {
        if (!durable.hasOffset()) { // the answer to a record sent again, long after the first
            throw new IOException(
                    "Kafka has not told where it put a record into "
                            + durable
                            + ", so another writer may have been there before it");
        }
        return durable.offset();
    }

    private static IOException interrupted(Exception cause) {
        return (IOException)
                new InterruptedIOException("The start of the call log was interrupted")
                        .initCause(cause);
    }
}
