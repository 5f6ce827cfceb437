package pyflink.durable.log.kafka;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.log.CallLogContext;

/** The topic of an operator: made or checked at the start, trimmed after checkpoints. */
final class KafkaTopic implements Closeable {

    private static final Logger LOG = LoggerFactory.getLogger(KafkaTopic.class);

    private static final long PAUSE_MILLIS = 200;

    private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(2);

    private final KafkaSettings settings;
    private final CallLogContext context;
    private final Admin admin;
    private final long deadline;
    private volatile KafkaFuture<Void> lastDeletion = KafkaFuture.completedFuture(null);

    /** The settings of a topic that can hold entries until a checkpoint covers them. */
    private final Map<String, String> configs = new HashMap<>();

    KafkaTopic(KafkaSettings settings, CallLogContext context) {
        this.settings = settings;
        this.context = context;
        this.admin = Admin.create(settings.admin());
        this.deadline = System.nanoTime() + settings.recoveryTimeout().toNanos();
        configs.put(TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_DELETE);
        configs.put(TopicConfig.RETENTION_MS_CONFIG, "-1");
        configs.put(TopicConfig.RETENTION_BYTES_CONFIG, "-1");
        configs.put(
                TopicConfig.MAX_MESSAGE_BYTES_CONFIG, String.valueOf(settings.maxMessageBytes()));
    }

    String name() {
        return settings.topic();
    }

    /**
     * Creates the topic, unless it is there or should be, and waits until each partition has a
     * leader.
     *
     * @return the topic's id, which a topic of the same name that is made later does not have
     */
    String require() throws IOException {
        Optional<TopicDescription> found = describe();
        context.requireLog(
                "the topic " + name() + " at " + settings.bootstrapServers(),
                found.map(topic -> topic.topicId().toString()).orElse(null));
        if (found.isEmpty()) {
            create();
        }
        while (found.isEmpty()
                || found.get().partitions().stream().anyMatch(p -> p.leader() == null)) {
            pause("The topic " + name() + " has partitions without a leader", null);
            found = describe();
        }
        int present = found.get().partitions().size();
        if (present != partitions()) {
            throw new IOException(
                    String.format(
                            "The topic %s has %d partitions, but the call log needs one per key"
                                    + " group, and the max parallelism of the operator is %d."
                                    + " Name another topic, or set the max parallelism to %d.",
                            name(), present, partitions(), present));
        }
        return found.get().topicId().toString();
    }

    /** One per key group, so that one subtask alone writes a partition. */
    private int partitions() {
        return context.maxParallelism();
    }

    /**
     * The longest entry that the topic takes.
     *
     * @throws IOException if the topic loses entries by its settings
     */
    int maxEntryBytes() throws IOException {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name());
        Config found;
        try {
            found =
                    await(
                                    "read the settings of",
                                    () -> admin.describeConfigs(List.of(resource)).all(),
                                    AuthorizationException.class)
                            .get(resource);
        } catch (AuthorizationException e) {
            LOG.info("The settings of the topic {} cannot be checked: {}", name(), e.getMessage());
            return settings.maxEntryBytes();
        }
        requireSetting(found, TopicConfig.CLEANUP_POLICY_CONFIG);
        requireSetting(found, TopicConfig.RETENTION_BYTES_CONFIG);
        String retention = found.get(TopicConfig.RETENTION_MS_CONFIG).value();
        if (!retention.equals("-1")) {
            LOG.warn(
                    "The topic {} drops entries after {} ms. While no checkpoint completes for as"
                            + " long, calls are lost from it; set retention.ms=-1: what checkpoints"
                            + " cover is deleted anyway.",
                    name(),
                    retention);
        }
        return settings.maxEntryBytes(
                Integer.parseInt(found.get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG).value()));
    }

    private void requireSetting(Config found, String setting) throws IOException {
        String value = found.get(setting).value();
        if (!value.equals(configs.get(setting))) {
            throw new IOException(
                    String.format(
                            "The topic %s has %s=%s, which would drop entries that a restore"
                                    + " needs. Set %s=%s: what checkpoints cover is deleted anyway.",
                            name(), setting, value, setting, configs.get(setting)));
        }
    }

    /** Deletes records in the background; a failure is logged and given to the caller. */
    void deleteRecords(Map<TopicPartition, Long> beforeOffsets, Runnable onFailure) {
        Map<TopicPartition, RecordsToDelete> records = new HashMap<>();
        beforeOffsets.forEach(
                (partition, offset) ->
                        records.put(partition, RecordsToDelete.beforeOffset(offset)));
        lastDeletion = admin.deleteRecords(records).all();
        lastDeletion.whenComplete(
                (done, failure) -> {
                    if (failure != null) {
                        LOG.warn(
                                "Records that a checkpoint covers could not be deleted from the"
                                        + " topic {}; they will be after the next one",
                                name(),
                                failure);
                        onFailure.run();
                    }
                });
    }

    @Override
    public void close() {
        try {
            lastDeletion.get(CLOSE_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("The last deletion from {} has not succeeded before the close", name(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        admin.close(Duration.ZERO);
    }

    private Optional<TopicDescription> describe() throws IOException {
        try {
            return Optional.of(
                    await(
                                    "find",
                                    () -> admin.describeTopics(List.of(name())).allTopicNames(),
                                    UnknownTopicOrPartitionException.class)
                            .get(name()));
        } catch (UnknownTopicOrPartitionException e) {
            return Optional.empty();
        }
    }

    private void create() throws IOException {
        NewTopic topic =
                new NewTopic(name(), Optional.of(partitions()), settings.replicationFactor())
                        .configs(configs);
        try {
            await(
                    "create",
                    () -> admin.createTopics(List.of(topic)).all(),
                    TopicExistsException.class);
            LOG.info("Created the topic {} with {} partitions", name(), partitions());
        } catch (TopicExistsException e) {
            LOG.debug("Another subtask has created the topic {}", name());
        } catch (IOException e) {
            throw new IOException(
                    String.format(
                            "%s. Create it yourself, with %d partitions and the settings %s.",
                            e.getMessage(), partitions(), configs),
                    e);
        }
    }

    /**
     * Tries until the deadline: a broker that has just started, or is far, is no error yet.
     *
     * @param thrown the answer that the caller knows what to do with
     */
    private <T> T await(
            String doing, Supplier<KafkaFuture<T>> request, Class<? extends ApiException> thrown)
            throws IOException {
        String what =
                String.format(
                        "Cannot %s the topic %s at %s", doing, name(), settings.bootstrapServers());
        while (true) {
            try {
                long left = Math.max(1, deadline - System.nanoTime());
                return request.get().get(left, TimeUnit.NANOSECONDS);
            } catch (ExecutionException e) {
                Throwable cause = e.getCause();
                if (thrown.isInstance(cause)) {
                    throw thrown.cast(cause);
                }
                if (!(cause instanceof RetriableException)) {
                    throw new IOException(what + ": " + cause.getMessage(), cause);
                }
                pause(what, cause);
            } catch (TimeoutException e) {
                pause(what, e);
            } catch (InterruptedException e) {
                throw interrupted(what);
            }
        }
    }

    private void pause(String what, Throwable cause) throws IOException {
        if (System.nanoTime() >= deadline) {
            throw new IOException(
                    String.format(
                            "%s within the recovery.timeout of %s: %s",
                            what,
                            settings.recoveryTimeout(),
                            cause == null ? "no leader was elected" : cause.getMessage()),
                    cause);
        }
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            throw interrupted(what);
        }
    }

    private static IOException interrupted(String what) {
        Thread.currentThread().interrupt();
        return new InterruptedIOException(what + ": interrupted");
    }
}
