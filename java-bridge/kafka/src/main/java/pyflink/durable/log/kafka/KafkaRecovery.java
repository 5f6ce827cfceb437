package pyflink.durable.log.kafka;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogEntry;

/** Reads the own partitions, from their beginnings to where they end at the start. */
final class KafkaRecovery implements Closeable {

    private static final Logger LOG = LoggerFactory.getLogger(KafkaRecovery.class);

    private static final Duration POLL = Duration.ofMillis(500);

    private final KafkaSettings settings;
    private final CallLogContext context;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final TreeSet<String> otherJobs = new TreeSet<>();
    private Map<TopicPartition, Long> beginnings;
    private Map<TopicPartition, Long> ends;
    private long newestGeneration;

    KafkaRecovery(KafkaSettings settings, CallLogContext context) {
        this.settings = settings;
        this.context = context;
        this.consumer =
                new KafkaConsumer<>(
                        settings.consumer(),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer());
    }

    /** Hands over the entries that the attempt takes. */
    void run(Consumer<LogEntry> receiver) throws IOException {
        try {
            List<KafkaRecord> taken = read();
            // Not by offset: a zombie's record may stand behind its successor's.
            taken.sort(Comparator.comparingLong(KafkaRecord::generation));
            taken.forEach(each -> receiver.accept(each.entry()));
        } catch (InterruptException e) {
            throw (IOException)
                    new InterruptedIOException("The read of the call log was interrupted")
                            .initCause(e);
        } catch (KafkaException e) {
            throw new IOException(
                    String.format(
                            "The call log cannot read the topic %s at %s: %s",
                            settings.topic(), settings.bootstrapServers(), e.getMessage()),
                    e);
        }
        if (!otherJobs.isEmpty()) {
            LOG.warn(
                    "The topic {} holds records of other jobs, which {} does not take: {}. They"
                            + " will be deleted when its first checkpoint has completed. If one of"
                            + " these jobs is to be started from its state again, stop this one"
                            + " now and give it a topic of its own.",
                    settings.topic(),
                    context,
                    otherJobs);
        }
    }

    Map<TopicPartition, Long> beginnings() {
        return beginnings;
    }

    Map<TopicPartition, Long> ends() {
        return ends;
    }

    long newestGeneration() {
        return newestGeneration;
    }

    @Override
    public void close() {
        consumer.close();
    }

    private List<KafkaRecord> read() throws IOException {
        List<TopicPartition> partitions =
                StreamSupport.stream(context.keyGroups().spliterator(), false)
                        .map(keyGroup -> new TopicPartition(settings.topic(), keyGroup))
                        .collect(Collectors.toList());
        consumer.assign(partitions);
        beginnings = consumer.beginningOffsets(partitions, settings.recoveryTimeout());
        ends = consumer.endOffsets(partitions, settings.recoveryTimeout());
        consumer.seekToBeginning(partitions);
        List<KafkaRecord> taken = new ArrayList<>();
        long deadline = newDeadline();
        while (!isAtEnd()) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
            for (ConsumerRecord<byte[], byte[]> each : records) {
                take(each, taken);
            }
            if (!records.isEmpty()) {
                deadline = newDeadline();
            } else if (System.nanoTime() >= deadline) {
                throw new IOException(
                        String.format(
                                "Reading the topic %s at %s made no progress for the"
                                        + " recovery.timeout of %s. The attempt does not start: it"
                                        + " would repeat the calls whose entries it has not read.",
                                settings.topic(),
                                settings.bootstrapServers(),
                                settings.recoveryTimeout()));
            }
        }
        return taken;
    }

    private void take(ConsumerRecord<byte[], byte[]> record, List<KafkaRecord> taken)
            throws IOException {
        KafkaRecord read =
                KafkaRecord.fromValue(record.value(), settings.topic(), context.operatorUid());
        newestGeneration = Math.max(newestGeneration, read.generation());
        if (context.takes(read.writer(), read.epoch())) {
            taken.add(read);
        } else if (!context.isOfSameHistory(read.writer())) {
            otherJobs.add(read.writer().jobId());
        }
    }

    private boolean isAtEnd() {
        for (Map.Entry<TopicPartition, Long> each : ends.entrySet()) {
            if (consumer.position(each.getKey(), settings.recoveryTimeout()) < each.getValue()) {
                return false;
            }
        }
        return true;
    }

    private long newDeadline() {
        return System.nanoTime() + settings.recoveryTimeout().toNanos();
    }
}
