package pyflink.durable.operator;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.SnapshotType;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.SharedStateRegistry;
import org.apache.flink.runtime.state.SharedStateRegistryImpl;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackend;
import org.apache.flink.streaming.api.functions.python.KeyByKeySelector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import pyflink.durable.log.CallLog;

/**
 * One subtask of a {@link HarnessOperator} with a state backend and a mailbox that runs when the
 * test says so. Inputs are rows of a key and a string, as PyFlink sends them.
 */
final class DurableHarness<K> implements AutoCloseable {

    static final int MAX_PARALLELISM = 128;

    private static final AtomicLong CHECKPOINTS = new AtomicLong();

    /** The part of the JobManager that incremental snapshots need: files of earlier ones. */
    private static final SharedStateRegistry SHARED_FILES = new SharedStateRegistryImpl();

    /** The state backends that Flink ships. */
    enum Backend {
        HASHMAP,
        ROCKSDB,
        ROCKSDB_INCREMENTAL;

        private StateBackend create() {
            return this == HASHMAP
                    ? new HashMapStateBackend()
                    : new EmbeddedRocksDBStateBackend(this == ROCKSDB_INCREMENTAL);
        }
    }

    /** A kind of key, and how its values are made. */
    static final class KeyKind<K> {
        static final KeyKind<Long> LONG = new KeyKind<>("Long", Types.LONG, Types.LONG);
        static final KeyKind<String> STRING = new KeyKind<>("String", Types.STRING, Types.STRING);

        /** PyFlink's: a row with the key as its only field. */
        static final KeyKind<Row> ROW = new KeyKind<>("Row", Types.ROW(Types.STRING), Types.STRING);

        private final String name;
        private final TypeInformation<K> keyType;
        private final TypeInformation<?> fieldType;

        private KeyKind(String name, TypeInformation<K> keyType, TypeInformation<?> fieldType) {
            this.name = name;
            this.keyType = keyType;
            this.fieldType = fieldType;
        }

        @SuppressWarnings("unchecked")
        private KeySelector<Row, K> selector() {
            return keyType instanceof RowTypeInfo
                    ? (KeySelector<Row, K>) new KeyByKeySelector()
                    : row -> (K) row.getField(0);
        }

        private Object field(int number) {
            return fieldType.equals(Types.LONG) ? (Object) (long) number : "key" + number;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    final KeyedOneInputStreamOperatorTestHarness<K, Row, String> flink;
    final HarnessOperator<K> operator;
    private final KeyKind<K> kind;
    private final Map<Long, OperatorSubtaskState> snapshots = new HashMap<>();

    private DurableHarness(
            KeyKind<K> kind, Backend backend, Limits limits, int parallelism, int subtask)
            throws Exception {
        this.kind = kind;
        operator = new HarnessOperator<>(limits);
        flink =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        operator,
                        kind.selector(),
                        kind.keyType,
                        MAX_PARALLELISM,
                        parallelism,
                        subtask);
        flink.setStateBackend(backend.create());
        flink.getStreamConfig()
                .setupNetworkInputs(
                        Types.ROW(kind.fieldType, Types.STRING)
                                .createSerializer(new SerializerConfigImpl()));
        flink.getStreamConfig().serializeAllConfigs();
    }

    /** How a subtask is set up; the limits are wide unless a test narrows them. */
    static final class Setup<K> {
        private final KeyKind<K> kind;
        private Backend backend = Backend.HASHMAP;
        private int maxInFlight = 1_000;
        private int maxPending = 10_000;
        private long checkpointInterval = 1_000;
        private long drainTimeout = 10_000;
        private long collectMillis;
        private int parallelism = 1;
        private int subtask;
        private boolean objectReuse;
        private CallLog callLog;

        private Setup(KeyKind<K> kind) {
            this.kind = kind;
        }

        Setup<K> backend(Backend newBackend) {
            backend = newBackend;
            return this;
        }

        Setup<K> limits(int newMaxInFlight, int newMaxPending) {
            maxInFlight = newMaxInFlight;
            maxPending = newMaxPending;
            return this;
        }

        Setup<K> checkpoints(long interval, long newDrainTimeout) {
            checkpointInterval = interval;
            drainTimeout = newDrainTimeout;
            return this;
        }

        /** Inputs are collected for so long before they start, instead of each starting at once. */
        Setup<K> collects(long millis) {
            collectMillis = millis;
            return this;
        }

        Setup<K> subtask(int index, int of) {
            subtask = index;
            parallelism = of;
            return this;
        }

        Setup<K> objectReuse() {
            objectReuse = true;
            return this;
        }

        Setup<K> callLog(CallLog log) {
            callLog = log;
            return this;
        }

        /** Opens with no state. */
        DurableHarness<K> open() throws Exception {
            return open(null);
        }

        /** Opens on a snapshot; the mail that starts what was in flight waits in the mailbox. */
        DurableHarness<K> open(OperatorSubtaskState snapshot) throws Exception {
            Limits limits =
                    new Limits(
                            maxInFlight,
                            maxPending,
                            checkpointInterval,
                            drainTimeout,
                            collectMillis);
            DurableHarness<K> harness =
                    new DurableHarness<>(kind, backend, limits, parallelism, subtask);
            if (objectReuse) {
                harness.flink.getExecutionConfig().enableObjectReuse();
            }
            harness.operator.setCallLog(callLog);
            harness.flink.setup(Types.STRING.createSerializer(new SerializerConfigImpl()));
            if (snapshot != null) {
                harness.flink.initializeState(snapshot);
            }
            harness.flink.setProcessingTime(0);
            harness.flink.open();
            return harness;
        }
    }

    static <K> Setup<K> keyedBy(KeyKind<K> kind) {
        return new Setup<>(kind);
    }

    static Setup<String> setup() {
        return new Setup<>(KeyKind.STRING);
    }

    // ------------------------------------------------------------------ inputs and mails

    /** Sends an input without a timestamp. */
    void send(Object key, String value) throws Exception {
        flink.processElement(new StreamRecord<>(Row.of(key, value)));
    }

    void send(Object key, String value, long timestamp) throws Exception {
        flink.processElement(new StreamRecord<>(Row.of(key, value), timestamp));
    }

    /** Runs the mails that are there, and those that they put. */
    void runMails() throws Exception {
        Optional<Mail> mail;
        while ((mail = flink.getTaskMailbox().tryTake(TaskMailbox.MIN_PRIORITY)).isPresent()) {
            mail.get().run();
        }
    }

    /** Ends a running handler and lets the operator go on. */
    void end(String keyAndValue) throws Exception {
        operator.handler(keyAndValue).end();
        runMails();
    }

    /** Ends every handler until nothing is in flight. */
    void endAll() throws Exception {
        runMails();
        while (!operator.running().isEmpty()) {
            operator.running().forEach(HarnessOperator.Handler::end);
            runMails();
        }
    }

    // ------------------------------------------------------------------ what came out

    List<String> outputs() {
        return new ArrayList<>(flink.extractOutputValues());
    }

    /** Outputs, watermarks and statuses in order. */
    List<String> emitted() {
        List<String> emitted = new ArrayList<>();
        for (Object element : flink.getOutput()) {
            emitted.add(
                    element instanceof StreamRecord
                            ? (String) ((StreamRecord<?>) element).getValue()
                            : element.toString());
        }
        return emitted;
    }

    List<String> started() {
        return operator.started();
    }

    // ------------------------------------------------------------------ snapshots

    OperatorSubtaskState snapshot() throws Exception {
        long id = CHECKPOINTS.incrementAndGet();
        OperatorSubtaskState snapshot = flink.snapshot(id, id);
        snapshot.registerSharedStates(SHARED_FILES, id);
        return snapshot;
    }

    /** Takes the snapshot of a checkpoint; whether it completes is told later. */
    long checkpoint() throws Exception {
        OperatorSubtaskState snapshot = snapshot();
        snapshots.put(CHECKPOINTS.get(), snapshot);
        return CHECKPOINTS.get();
    }

    /** What a failover to this checkpoint restores. */
    OperatorSubtaskState snapshotOf(long checkpoint) {
        return snapshots.get(checkpoint);
    }

    /** Makes the snapshot of an earlier attempt one that {@link #snapshotOf} knows. */
    void keep(long checkpoint, OperatorSubtaskState snapshot) {
        snapshots.put(checkpoint, snapshot);
    }

    long savepoint(SnapshotType type) throws Exception {
        long id = CHECKPOINTS.incrementAndGet();
        flink.snapshotWithLocalState(id, id, type);
        return id;
    }

    /** Tells the operator that a checkpoint has completed, and lets it go on. */
    void complete(long checkpoint) throws Exception {
        flink.notifyOfCompletedCheckpoint(checkpoint);
        runMails();
    }

    /** The part of a snapshot of {@code from} subtasks that one of {@code to} subtasks gets. */
    static OperatorSubtaskState part(OperatorSubtaskState snapshot, int from, int subtask, int to) {
        return AbstractStreamOperatorTestHarness.repartitionOperatorState(
                snapshot, MAX_PARALLELISM, from, to, subtask);
    }

    static OperatorSubtaskState together(OperatorSubtaskState... snapshots) throws Exception {
        return AbstractStreamOperatorTestHarness.repackageState(snapshots);
    }

    /** The key field of this number. */
    static Object key(KeyKind<?> kind, int number) {
        return kind.field(number);
    }

    /** The subtask that a key goes to. */
    static <K> int subtaskOf(KeyKind<K> kind, Object keyField, int parallelism) throws Exception {
        return KeyGroupRangeAssignment.assignKeyToParallelOperator(
                kind.selector().getKey(Row.of(keyField, "")), MAX_PARALLELISM, parallelism);
    }

    /** The count of a counter of the operator. */
    long count(String counter) {
        Matcher matcher =
                Pattern.compile("\"" + counter + "\": (\\d+)")
                        .matcher(operator.engine().counters().toJsonMembers());
        if (!matcher.find()) {
            throw new AssertionError("There is no counter " + counter);
        }
        return Long.parseLong(matcher.group(1));
    }

    int stateEntries() {
        return flink.numKeyedStateEntries();
    }

    @Override
    public void close() throws Exception {
        flink.close();
    }
}
