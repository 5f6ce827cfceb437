package pyflink.durable.operator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.annotation.Nullable;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.SavepointType;
import org.apache.flink.runtime.checkpoint.SnapshotType;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.SharedStateRegistry;
import org.apache.flink.runtime.state.SharedStateRegistryImpl;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.state.StateBackendLoader;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.state.forst.ForStStateBackend;
import org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackend;
import org.apache.flink.streaming.api.functions.python.KeyByKeySelector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import pyflink.durable.engine.HarnessHandler;
import pyflink.durable.engine.Limits;
import pyflink.durable.state.HandlerVersions;
import pyflink.durable.state.InputForm;
import pyflink.durable.state.InputSeals;
import pyflink.durable.state.Retention;

/**
 * One subtask of a {@link HarnessOperator} with a state backend and a mailbox that runs when the
 * test says so. Inputs are rows of a key and a string, as PyFlink sends them.
 */
public final class DurableHarness implements AutoCloseable {

    static final int MAX_PARALLELISM = 128;

    private static final AtomicLong CHECKPOINTS = new AtomicLong();

    /** The part of the JobManager that incremental snapshots need: files of earlier ones. */
    private static final SharedStateRegistry SHARED_FILES = new SharedStateRegistryImpl();

    /** The state backends that Flink ships. */
    public enum Backend {
        HASHMAP,
        ROCKSDB,
        ROCKSDB_INCREMENTAL,
        FORST,
        CHANGELOG_HASHMAP,
        CHANGELOG_ROCKSDB;

        private StateBackend create() throws Exception {
            switch (this) {
                case HASHMAP:
                    return new HashMapStateBackend();
                case ROCKSDB:
                    return new EmbeddedRocksDBStateBackend(false);
                case ROCKSDB_INCREMENTAL:
                    return new EmbeddedRocksDBStateBackend(true);
                case FORST:
                    return new ForStStateBackend();
                case CHANGELOG_HASHMAP:
                    return withChangelog(HASHMAP.create());
                case CHANGELOG_ROCKSDB:
                    return withChangelog(ROCKSDB_INCREMENTAL.create());
                default:
                    throw new AssertionError(this);
            }
        }

        public boolean hasChangelog() {
            return this == CHANGELOG_HASHMAP || this == CHANGELOG_ROCKSDB;
        }

        private static StateBackend withChangelog(StateBackend backend) throws Exception {
            Configuration job = new Configuration();
            job.set(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG, true);
            return StateBackendLoader.fromApplicationOrConfigOrDefault(
                    backend, job, new Configuration(), DurableHarness.class.getClassLoader(), null);
        }
    }

    /** What is in a key; the key itself is a row with it as its only field, as PyFlink's are. */
    public static final class KeyKind {
        public static final KeyKind LONG = new KeyKind("Long", Types.LONG);
        public static final KeyKind STRING = new KeyKind("String", Types.STRING);

        private final String name;
        private final TypeInformation<?> fieldType;

        private KeyKind(String name, TypeInformation<?> fieldType) {
            this.name = name;
            this.fieldType = fieldType;
        }

        private Object field(int number) {
            return fieldType.equals(Types.LONG) ? (Object) (long) number : "key" + number;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static final KeySelector<Row, Row> KEY = new KeyByKeySelector();

    public final KeyedOneInputStreamOperatorTestHarness<Row, Row, String> flink;
    public final HarnessOperator operator;
    private final Map<Long, OperatorSubtaskState> snapshots = new HashMap<>();

    private DurableHarness(Setup setup) throws Exception {
        KeyKind kind = setup.kind;
        operator =
                new HarnessOperator(
                        kind.fieldType,
                        setup.limits(),
                        setup.retention,
                        setup.callLog,
                        setup.versions);
        if (setup.seals != null) {
            operator.seals(setup.seals);
        }
        flink =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        operator,
                        KEY,
                        Types.ROW(kind.fieldType),
                        MAX_PARALLELISM,
                        setup.parallelism,
                        setup.subtask);
        flink.setStateBackend(setup.backend.create());
        flink.getStreamConfig()
                .setupNetworkInputs(
                        Types.ROW(kind.fieldType, Types.STRING)
                                .createSerializer(new SerializerConfigImpl()));
        flink.getStreamConfig().serializeAllConfigs();
        if (setup.objectReuse) {
            flink.getExecutionConfig().enableObjectReuse();
        }
    }

    /** How a subtask is set up; the limits are wide unless a test narrows them. */
    public static final class Setup {
        private final KeyKind kind;
        private Backend backend = Backend.HASHMAP;
        private int maxInFlight = 1_000;
        private int maxPending = 10_000;
        private long checkpointInterval = 1_000;
        private long drainTimeout = 10_000;
        private long collectMillis;
        private long parkAfter = -1;
        private boolean parkedHoldWatermarks;
        private int maxWaitingPerKey;
        private int parallelism = 1;
        private int subtask;
        private boolean objectReuse;
        private Retention retention = new Retention(true, 0, 0);
        @Nullable private Map<String, String> callLog;
        private HandlerVersions versions = HandlerVersions.none();
        @Nullable private InputSeals<Row> seals;

        private Setup(KeyKind kind) {
            this.kind = kind;
        }

        public Setup backend(Backend newBackend) {
            backend = newBackend;
            return this;
        }

        public Setup limits(int newMaxInFlight, int newMaxPending) {
            maxInFlight = newMaxInFlight;
            maxPending = newMaxPending;
            return this;
        }

        public Setup checkpoints(long interval, long newDrainTimeout) {
            checkpointInterval = interval;
            drainTimeout = newDrainTimeout;
            return this;
        }

        /** Inputs are collected for so long before they start, instead of each starting at once. */
        public Setup collects(long millis) {
            collectMillis = millis;
            return this;
        }

        public Setup subtask(int index, int of) {
            subtask = index;
            parallelism = of;
            return this;
        }

        public Setup objectReuse() {
            objectReuse = true;
            return this;
        }

        public Setup retention(Retention newRetention) {
            retention = newRetention;
            return this;
        }

        /** Inputs stand in the state as these make them; otherwise as they came. */
        public Setup seals(InputSeals<Row> newSeals) {
            seals = newSeals;
            return this;
        }

        public Setup parksAfter(long millis) {
            parkAfter = millis;
            return this;
        }

        /** Names versions of the handler, the current one first. */
        public Setup versions(@Nullable String current, String... previous) {
            versions = new HandlerVersions(current, Arrays.asList(previous));
            return this;
        }

        public Setup parkedHoldWatermarks() {
            parkedHoldWatermarks = true;
            return this;
        }

        public Setup maxWaitingPerKey(int inputs) {
            maxWaitingPerKey = inputs;
            return this;
        }

        public Setup callLog(MemoryCallLog log) {
            return callLog(log.settings());
        }

        public Setup callLog(Map<String, String> settings) {
            callLog = settings;
            return this;
        }

        private Limits limits() {
            return new Limits(
                            maxInFlight,
                            maxPending,
                            checkpointInterval,
                            drainTimeout,
                            collectMillis)
                    .withParking(parkAfter)
                    .withParkedHoldingWatermarks(parkedHoldWatermarks)
                    .withMaxWaitingPerKey(maxWaitingPerKey);
        }

        /** Opens with no state. */
        public DurableHarness open() throws Exception {
            return open(null);
        }

        /** Opens on a snapshot; the mail that starts what was in flight waits in the mailbox. */
        public DurableHarness open(OperatorSubtaskState snapshot) throws Exception {
            return open(snapshot, CHECKPOINTS.get());
        }

        /** The same, on the snapshot of this checkpoint. */
        public DurableHarness open(@Nullable OperatorSubtaskState snapshot, long checkpoint)
                throws Exception {
            DurableHarness harness = new DurableHarness(this);
            harness.flink.setup(Types.STRING.createSerializer(new SerializerConfigImpl()));
            if (snapshot != null) {
                harness.flink.setRestoredCheckpointId(checkpoint);
                harness.flink.initializeState(snapshot);
            }
            harness.flink.setProcessingTime(0);
            harness.flink.open();
            return harness;
        }
    }

    public static Setup keyedBy(KeyKind kind) {
        return new Setup(kind);
    }

    public static Setup setup() {
        return new Setup(KeyKind.STRING);
    }

    // ------------------------------------------------------------------ inputs and mails

    /** Sends an input without a timestamp. */
    public void send(Object key, String value) throws Exception {
        flink.processElement(new StreamRecord<>(Row.of(key, value)));
    }

    public void send(Object key, String value, long timestamp) throws Exception {
        flink.processElement(new StreamRecord<>(Row.of(key, value), timestamp));
    }

    /** Runs the mails that are there, and those that they put. */
    public void runMails() throws Exception {
        Optional<Mail> mail;
        while ((mail = flink.getTaskMailbox().tryTake(TaskMailbox.MIN_PRIORITY)).isPresent()) {
            mail.get().run();
        }
    }

    /** Ends a running handler and lets the operator go on. */
    public void end(String keyAndValue) throws Exception {
        operator.host().handler(keyAndValue).end();
        runMails();
    }

    /** Ends every handler until nothing is in flight. */
    public void endAll() throws Exception {
        runMails();
        while (!operator.host().running().isEmpty()) {
            operator.host().running().forEach(HarnessHandler::end);
            runMails();
        }
    }

    // ------------------------------------------------------------------ what came out

    public List<String> outputs() {
        return new ArrayList<>(flink.extractOutputValues());
    }

    /** Outputs, watermarks and statuses in order. */
    public List<String> emitted() {
        List<String> emitted = new ArrayList<>();
        for (Object element : flink.getOutput()) {
            emitted.add(
                    element instanceof StreamRecord
                            ? (String) ((StreamRecord<?>) element).getValue()
                            : element.toString());
        }
        return emitted;
    }

    public List<String> started() {
        return operator.host().started();
    }

    // ------------------------------------------------------------------ snapshots

    public OperatorSubtaskState snapshot() throws Exception {
        long id = CHECKPOINTS.incrementAndGet();
        OperatorSubtaskState snapshot = flink.snapshot(id, id);
        snapshot.registerSharedStates(SHARED_FILES, id);
        return snapshot;
    }

    /** Takes the snapshot of a checkpoint; whether it completes is told later. */
    public long checkpoint() throws Exception {
        OperatorSubtaskState snapshot = snapshot();
        snapshots.put(CHECKPOINTS.get(), snapshot);
        return CHECKPOINTS.get();
    }

    /** What a failover to this checkpoint restores. */
    public OperatorSubtaskState snapshotOf(long checkpoint) {
        return snapshots.get(checkpoint);
    }

    /** Makes the snapshot of an earlier attempt one that {@link #snapshotOf} knows. */
    public void keep(long checkpoint, OperatorSubtaskState snapshot) {
        snapshots.put(checkpoint, snapshot);
    }

    public long savepoint(SnapshotType type) throws Exception {
        savepointState(type);
        return CHECKPOINTS.get();
    }

    public OperatorSubtaskState savepointState(SnapshotType type) throws Exception {
        long id = CHECKPOINTS.incrementAndGet();
        return flink.snapshotWithLocalState(id, id, type).getJobManagerOwnedState();
    }

    /**
     * A snapshot to be restored with another parallelism. With Flink's changelog a savepoint: of
     * two rescalings with no materialization in between, the restore of the second puts old changes
     * over newer ones, since each handle has those of all key groups ({@code
     * ChangelogBackendRestoreOperation}). A savepoint has none.
     */
    public OperatorSubtaskState toRescale(Backend backend) throws Exception {
        return backend.hasChangelog()
                ? savepointState(SavepointType.savepoint(SavepointFormatType.NATIVE))
                : snapshot();
    }

    /** Tells the operator that a checkpoint has completed, and lets it go on. */
    public void complete(long checkpoint) throws Exception {
        flink.notifyOfCompletedCheckpoint(checkpoint);
        runMails();
    }

    /** The part of a snapshot of {@code from} subtasks that one of {@code to} subtasks gets. */
    public static OperatorSubtaskState part(
            OperatorSubtaskState snapshot, int from, int subtask, int to) {
        return AbstractStreamOperatorTestHarness.repartitionOperatorState(
                snapshot, MAX_PARALLELISM, from, to, subtask);
    }

    public static OperatorSubtaskState together(OperatorSubtaskState... snapshots)
            throws Exception {
        return AbstractStreamOperatorTestHarness.repackageState(snapshots);
    }

    /** The key field of this number. */
    public static Object key(KeyKind kind, int number) {
        return kind.field(number);
    }

    /** The subtask that a key goes to. */
    public static int subtaskOf(Object keyField, int parallelism) throws Exception {
        return KeyGroupRangeAssignment.assignKeyToParallelOperator(
                KEY.getKey(Row.of(keyField, "")), MAX_PARALLELISM, parallelism);
    }

    /** The count of a counter of the operator. */
    public long count(String counter) {
        Matcher matcher =
                Pattern.compile("\"" + counter + "\": (\\d+)")
                        .matcher(operator.engine().counters().toJsonMembers());
        if (!matcher.find()) {
            throw new AssertionError("There is no counter " + counter);
        }
        return Long.parseLong(matcher.group(1));
    }

    /** What the operator writes its inputs with. */
    public InputForm<Row> inputForm() {
        TypeSerializer<Row> serializer =
                flink.getStreamConfig().getTypeSerializerIn(0, getClass().getClassLoader());
        return new InputForm<>(new InputSerializer<>(serializer), operator.newSeals(serializer));
    }

    public int stateEntries() {
        return flink.numKeyedStateEntries();
    }

    @Override
    public void close() throws Exception {
        flink.close();
    }
}
