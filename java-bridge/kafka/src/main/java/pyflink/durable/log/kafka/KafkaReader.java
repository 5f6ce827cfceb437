package pyflink.durable.log.kafka;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import pyflink.durable.log.CallLogContext;

/** Reads the log's records in parts of its topic. */
final class KafkaReader implements Closeable {

    private static final Duration POLL = Duration.ofMillis(500);

    private final KafkaSettings settings;
    private final CallLogContext context;
    private final KafkaConsumer<byte[], byte[]> consumer;

    KafkaReader(KafkaSettings settings, CallLogContext context) {
        this.settings = settings;
        this.context = context;
        this.consumer =
                new KafkaConsumer<>(
                        settings.consumer(),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer());
    }

    /** Takes a record; those of a partition come in the order of their offsets. */
    @FunctionalInterface
    interface Receiver {
        void accept(TopicPartition partition, long offset, KafkaRecord record);
    }

    /** Where the partitions begin. */
    Map<TopicPartition, Long> beginnings(Collection<TopicPartition> partitions) throws IOException {
        try {
            return consumer.beginningOffsets(partitions, settings.recoveryTimeout());
        } catch (KafkaException e) {
            throw failed(e);
        }
    }

    /**
     * Reads partitions.
     *
     * @param from the first offset of each; what is deleted by then is left out
     * @param to the offset of each up to which, without it, is read
     */
    void read(Map<TopicPartition, Long> from, Map<TopicPartition, Long> to, Receiver receiver)
            throws IOException {
        try {
            consumer.assign(from.keySet());
            from.forEach(consumer::seek);
            long deadline = newDeadline();
            while (!isAt(to)) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
                for (ConsumerRecord<byte[], byte[]> each : records) {
                    hand(each, to, receiver);
                }
                if (!records.isEmpty()) {
                    deadline = newDeadline();
                } else if (System.nanoTime() >= deadline) {
                    throw noProgress();
                }
            }
        } catch (KafkaException e) {
            throw failed(e);
        }
    }

    private void hand(
            ConsumerRecord<byte[], byte[]> record, Map<TopicPartition, Long> to, Receiver receiver)
            throws IOException {
        TopicPartition partition = new TopicPartition(record.topic(), record.partition());
        if (record.offset() < to.get(partition)) {
            receiver.accept(
                    partition,
                    record.offset(),
                    KafkaRecord.fromValue(record.value(), settings.topic(), context.operatorUid()));
        }
    }

    private boolean isAt(Map<TopicPartition, Long> ends) {
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

    private IOException noProgress() {
        return new IOException(
                String.format(
                        "Reading the topic %s at %s made no progress for the recovery.timeout of"
                                + " %s. The attempt does not start: it would repeat the calls whose"
                                + " entries it has not read.",
                        settings.topic(), settings.bootstrapServers(), settings.recoveryTimeout()));
    }

    private IOException failed(KafkaException cause) {
        if (cause instanceof InterruptException) {
            return (IOException)
                    new InterruptedIOException("The read of the call log was interrupted")
                            .initCause(cause);
        }
        return new IOException(
                String.format(
                        "The call log cannot read the topic %s at %s: %s",
                        settings.topic(), settings.bootstrapServers(), cause.getMessage()),
                cause);
    }

    @Override
    public void close() {
        consumer.close();
    }
}
