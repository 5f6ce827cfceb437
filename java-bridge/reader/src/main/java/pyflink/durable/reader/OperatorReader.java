package pyflink.durable.reader;

import java.util.List;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.core.fs.CloseableRegistry;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.checkpoint.StateAssignmentOperation;
import org.apache.flink.runtime.jobgraph.JobVertexID;
import org.apache.flink.runtime.query.KvStateRegistry;
import org.apache.flink.runtime.state.CheckpointableKeyedStateBackend;
import org.apache.flink.runtime.state.IncrementalKeyedStateHandle;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.KeyedStateBackendParametersImpl;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.state.StateBackendLoader;
import org.apache.flink.runtime.state.changelog.ChangelogStateBackendHandle;
import org.apache.flink.runtime.state.ttl.TtlTimeProvider;
import org.apache.flink.types.Row;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the keyed state of a durable operator: Flink's state backends restore it, a few key groups
 * at a time, as they would for a task.
 *
 * <p>A few, since the heap's backend holds all that it restores.
 */
final class OperatorReader {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");
    private static final long BYTES_AT_A_TIME = 32L * 1024 * 1024;

    private final DurableOperator operator;
    private final Configuration configuration;
    private final RestoreEnvironment environment;
    private final boolean allState;
    private final Lines lines;
    private final Pickles pickles = new Pickles();

    /**
     * @param allState whether what keys keep that have nothing in flight is read, too
     */
    OperatorReader(
            DurableOperator operator,
            Configuration configuration,
            RestoreEnvironment environment,
            boolean allState,
            Lines lines) {
        this.operator = operator;
        this.configuration = configuration;
        this.environment = environment;
        this.allState = allState;
        this.lines = lines;
    }

    /** The key groups that are read at a time. */
    List<KeyGroupRange> parts() {
        long parts = operator.state().getParallelism();
        if (!isOfRocksDb()) {
            parts = Math.max(parts, operator.state().getStateSize() / BYTES_AT_A_TIME);
        }
        int groups = operator.state().getMaxParallelism();
        return StateAssignmentOperation.createKeyGroupPartitions(
                groups, (int) Math.min(parts, groups));
    }

    /** All other forms are read by the heap's backend: its own, and canonical savepoints. */
    private boolean isOfRocksDb() {
        return operator.handles().stream().anyMatch(OperatorReader::isOfRocksDb);
    }

    private static boolean isOfRocksDb(KeyedStateHandle handle) {
        if (handle instanceof ChangelogStateBackendHandle) {
            return ((ChangelogStateBackendHandle) handle)
                    .getMaterializedStateHandles().stream().anyMatch(OperatorReader::isOfRocksDb);
        }
        return handle instanceof IncrementalKeyedStateHandle;
    }

    void read(KeyGroupRange groups) throws Exception {
        List<KeyedStateHandle> handles =
                StateAssignmentOperation.getManagedKeyedStateHandles(operator.state(), groups);
        if (handles.isEmpty()) {
            return;
        }
        try (CloseableRegistry registry = new CloseableRegistry()) {
            CheckpointableKeyedStateBackend<Object> backend = restore(groups, handles, registry);
            try {
                read(new StoredStates(backend, operator.metadata()));
            } finally {
                backend.dispose();
            }
        }
    }

    private CheckpointableKeyedStateBackend<Object> restore(
            KeyGroupRange groups, List<KeyedStateHandle> handles, CloseableRegistry registry)
            throws Exception {
        JobID job = environment.environment().getJobID();
        ClassLoader loader = getClass().getClassLoader();
        Configuration settings = new Configuration(configuration);
        settings.set(StateBackendOptions.STATE_BACKEND, isOfRocksDb() ? "rocksdb" : "hashmap");
        settings.setString("state.backend.rocksdb.memory.managed", "false");
        StateBackend backend =
                StateBackendLoader.loadStateBackendFromKeyedStateHandles(
                        StateBackendLoader.loadStateBackendFromConfig(settings, loader, LOG),
                        loader,
                        handles);
        return backend.createKeyedStateBackend(
                new KeyedStateBackendParametersImpl<>(
                        environment.environment(),
                        job,
                        operator.id(),
                        operator.metadata().keySerializer(),
                        operator.state().getMaxParallelism(),
                        groups,
                        new KvStateRegistry().createTaskRegistry(job, new JobVertexID()),
                        TtlTimeProvider.DEFAULT,
                        new UnregisteredMetricsGroup(),
                        (name, value) -> {},
                        handles,
                        registry,
                        1.0));
    }

    private void read(StoredStates states) throws Exception {
        states.forEachKeyInFlight(
                key ->
                        lines.key(
                                operator.id(),
                                new StoredKey(
                                        group(key),
                                        pickle(key),
                                        states.inputs(pickles),
                                        states.isParked(),
                                        states.journal(),
                                        states.userState())));
        states.forEachUnclaimed((key, entry) -> lines.unclaimed(operator.id(), pickle(key), entry));
        if (allState) {
            states.forEachKeyWithState(
                    key -> lines.state(operator.id(), group(key), pickle(key), states.userState()));
        }
    }

    private int group(Object key) {
        return KeyGroupRangeAssignment.assignToKeyGroup(key, operator.state().getMaxParallelism());
    }

    /** PyFlink's keys are rows of one field. */
    private byte[] pickle(Object key) {
        boolean wrapped = key instanceof Row && ((Row) key).getArity() == 1;
        return pickles.of(wrapped ? ((Row) key).getField(0) : key);
    }
}
