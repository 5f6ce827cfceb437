package pyflink.durable.log.kafka;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogEntry;
import pyflink.durable.log.LogStorage;
import pyflink.durable.log.LogWriter;
import pyflink.durable.log.SerializedEntry;

/**
 * Keeps entries in a topic with one partition per key group.
 *
 * <p>A group is sent to all its partitions at once and is durable when the replicas in sync have
 * all of it. The producer is idempotent, so what it sends again after a lost answer is not there
 * twice. Old attempts that still run are shut out by {@link KafkaFences}: Kafka itself does that
 * for transactions only, and a transaction per group costs more than the group.
 *
 * <p><b>Deletion.</b> When a checkpoint completes, each of the own partitions is trimmed to the
 * first own record that it does not cover. The newest own record stays in any case, since it tells
 * of the fence: without it, what a zombie appends behind the trimmed fence would count. Whatever
 * else lies before that goes too, also the records of an unrelated job: a topic is of one operator
 * of one job.
 */
final class KafkaStorage implements LogStorage {

    private final KafkaSettings settings;
    private final CallLogContext context;
    private final KafkaTopic topic;
    private final String id;
    private final int maxEntryBytes;
    private final KafkaProducer<byte[], byte[]> producer;

    private final KafkaFences fences;

    /** By key group, what stands before the entries of {@link #prefixEpoch}. */
    private final Map<Integer, byte[]> prefixes = new HashMap<>();

    private long prefixEpoch = -1;

    /** Of each own partition, the offset of the first append in each epoch. */
    private final Map<TopicPartition, TreeMap<Long, Long>> firstOffsets = new HashMap<>();

    /** Of each own partition, up to where records are deleted or about to be. */
    private final Map<TopicPartition, Long> trimmed = new ConcurrentHashMap<>();

    private KafkaStorage(
            KafkaSettings settings,
            CallLogContext context,
            KafkaTopic topic,
            String id,
            int maxEntryBytes) {
        this.settings = settings;
        this.context = context;
        this.topic = topic;
        this.id = id;
        this.maxEntryBytes = maxEntryBytes;
        this.fences = new KafkaFences(settings, context);
        this.producer =
                new KafkaProducer<>(
                        settings.producer(settings.appendTimeout()),
                        new ByteArraySerializer(),
                        new ByteArraySerializer());
    }

    static KafkaStorage open(KafkaSettings settings, CallLogContext context) throws IOException {
        try {
            return open(settings, context, new KafkaTopic(settings, context));
        } catch (KafkaException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new IOException(
                    String.format(
                            "The call log cannot make a client for Kafka at %s: %s",
                            settings.bootstrapServers(), cause.getMessage()),
                    e);
        }
    }

    private static KafkaStorage open(
            KafkaSettings settings, CallLogContext context, KafkaTopic topic) throws IOException {
        try {
            return new KafkaStorage(
                    settings, context, topic, topic.require(), topic.maxEntryBytes());
        } catch (IOException | RuntimeException e) {
            topic.close();
            throw e;
        }
    }

    @Override
    public String id() {
        return id;
    }

    @Override
    public void recover(Consumer<LogEntry> receiver) throws IOException {
        fences.put();
        trimmed.putAll(new KafkaRecovery(settings, context).run(fences.ends(), receiver));
    }

    @Override
    public void write(long epoch, List<? extends SerializedEntry> group) throws IOException {
        if (epoch != prefixEpoch) {
            prefixes.clear();
            prefixEpoch = epoch;
        }
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>(group.size());
            for (SerializedEntry each : group) {
                Future<RecordMetadata> result = producer.send(record(each));
                if (result.isDone()) {
                    result.get(); // refused at once; else each of the group would wait as long
                }
                sent.add(result);
            }
            producer.flush();
            for (Future<RecordMetadata> each : sent) {
                noteOffset(epoch, each.get());
            }
        } catch (ExecutionException e) {
            throw failed(e.getCause());
        } catch (InterruptedException | InterruptException e) {
            throw new IOException("The write to Kafka was interrupted", e);
        } catch (KafkaException e) {
            throw failed(e);
        }
    }

    private ProducerRecord<byte[], byte[]> record(SerializedEntry entry) throws IOException {
        byte[] prefix = prefixes.get(entry.keyGroup());
        if (prefix == null) {
            TopicPartition partition = new TopicPartition(topic.name(), entry.keyGroup());
            LogWriter writer = context.writer(fences.generation(partition));
            prefix = KafkaRecord.prefix(context.operatorUid(), writer, prefixEpoch);
            prefixes.put(entry.keyGroup(), prefix);
        }
        return KafkaFences.record(
                topic.name(), entry.keyGroup(), KafkaRecord.value(prefix, entry.bytes()));
    }

    private void noteOffset(long epoch, RecordMetadata durable) throws IOException {
        firstOffsets
                .computeIfAbsent(
                        new TopicPartition(durable.topic(), durable.partition()),
                        key -> new TreeMap<>())
                .merge(epoch, fences.appended(durable), Math::min);
    }

    private IOException failed(Throwable cause) {
        return new IOException(
                String.format(
                        "The call log cannot write to the topic %s at %s within the append.timeout"
                                + " of %s: %s. A call that waits for its start does not start; one"
                                + " that has ended is in doubt. Look after Kafka; the job goes on"
                                + " from its last checkpoint.",
                        topic.name(),
                        settings.bootstrapServers(),
                        settings.appendTimeout(),
                        cause.getMessage()),
                cause);
    }

    @Override
    public void deleteCovered(long checkpointId) {
        Map<TopicPartition, Long> before = new HashMap<>();
        fences.ends()
                .forEach(
                        (partition, end) -> {
                            TreeMap<Long, Long> firsts = firstOffsets.get(partition);
                            if (firsts != null) {
                                firsts.headMap(checkpointId).clear();
                            }
                            long offset =
                                    firsts == null || firsts.isEmpty()
                                            ? end - 1
                                            : firsts.firstEntry().getValue();
                            if (offset > trimmed.getOrDefault(partition, 0L)) {
                                before.put(partition, offset);
                            }
                        });
        if (!before.isEmpty()) {
            Map<TopicPartition, Long> previous = new HashMap<>(trimmed);
            trimmed.putAll(before);
            topic.deleteRecords(
                    before,
                    () ->
                            before.keySet()
                                    .forEach(
                                            each ->
                                                    trimmed.put(
                                                            each,
                                                            previous.getOrDefault(each, 0L))));
        }
    }

    @Override
    public int maxEntryBytes() {
        return maxEntryBytes;
    }

    @Override
    public void close() {
        try {
            producer.close(Duration.ZERO); // the log has no appends left that anyone waits for
        } finally {
            topic.close();
        }
    }
}
