package pyflink.durable.log.kafka;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.LogEntry;

/** Takes from the own partitions, up to the own fences, what the attempt needs. */
final class KafkaRecovery {

    private static final Logger LOG = LoggerFactory.getLogger(KafkaRecovery.class);

    private final KafkaSettings settings;
    private final CallLogContext context;
    private final List<KafkaRecord> taken = new ArrayList<>();
    private final Map<TopicPartition, Long> newestFences = new HashMap<>();
    private final TreeSet<String> otherJobs = new TreeSet<>();
    private int late;

    KafkaRecovery(KafkaSettings settings, CallLogContext context) {
        this.settings = settings;
        this.context = context;
    }

    /**
     * Hands over the entries that the attempt takes.
     *
     * @param ends up to where the own partitions are read
     * @return where they begin
     */
    Map<TopicPartition, Long> run(Map<TopicPartition, Long> ends, Consumer<LogEntry> receiver)
            throws IOException {
        Map<TopicPartition, Long> beginnings;
        try (KafkaReader reader = new KafkaReader(settings, context)) {
            beginnings = reader.beginnings(ends.keySet());
            reader.read(beginnings, ends, this::sort);
        }
        // Release 0.1 put no fences: its zombies' records may stand behind their successors'.
        taken.sort(Comparator.comparingLong(r -> r.isFenced() ? Long.MAX_VALUE : r.generation()));
        taken.forEach(each -> receiver.accept(each.entry()));
        tell();
        return beginnings;
    }

    private void sort(TopicPartition partition, long offset, KafkaRecord record) {
        long newest = newestFences.getOrDefault(partition, KafkaRecord.UNKNOWN);
        long generation = generationOf(record, offset);
        if (generation < newest) {
            late++;
            return;
        }
        newestFences.put(partition, generation);
        if (record.isFence()) {
            return;
        }
        if (context.takes(record.writer(), record.epoch())) {
            taken.add(record);
        } else if (!context.isOfSameHistory(record.writer())) {
            otherJobs.add(record.writer().jobId());
        }
    }

    private static long generationOf(KafkaRecord record, long offset) {
        if (record.isFence()) {
            return offset;
        }
        return record.isFenced() ? record.generation() : KafkaRecord.UNKNOWN;
    }

    private void tell() {
        if (late > 0) {
            LOG.warn(
                    "{} leaves out {} records of the topic {} that old attempts have appended when"
                            + " others had taken over. These appends failed: no call has started"
                            + " by them.",
                    context,
                    late,
                    settings.topic());
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
}
