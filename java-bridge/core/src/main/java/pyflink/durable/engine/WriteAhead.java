package pyflink.durable.engine;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pyflink.durable.journal.Call;
import pyflink.durable.log.AppendCallback;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.LogEntry;
import pyflink.durable.state.Owner;
import pyflink.durable.state.RecoveredJournal;
import pyflink.durable.state.Unclaimed;

/**
 * Writes every change of a journal to the call log, and gives it back after a failure: what the log
 * holds beyond the restored checkpoint. Works on the task thread, but where it is said.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>The journal is written first, and then the log; at a snapshot the log learns of it before
 *       the journals are saved. An entry that were appended first could fall into the epoch before
 *       a checkpoint that does not hold it, and be deleted with it.
 *   <li>All changes are logged, those that nobody waits for too. A slot that were missing in the
 *       log would be a hole in the restored journal, and its neighbours' outcomes lost.
 *   <li>What was recovered belongs to a key, an invocation and the digest of an input. An input
 *       that came back with another value gets none of it: the outcome of a call for one order
 *       would answer the call for another.
 *   <li>What was recovered and not yet asked for is in every checkpoint, see {@link Unclaimed}: its
 *       input may come back after the next one, with whose completion the old entries are deleted.
 *   <li>A failed append is the error of the call that waits for it. If none waits, it fails the
 *       task: the next entries would be written behind a hole.
 *   <li>Only a completed checkpoint has entries deleted, never a savepoint: a failure after a
 *       savepoint goes back to the checkpoint before it (see {@link Gate}).
 * </ul>
 */
final class WriteAhead<K, IN> implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger("pyflink.durable");

    /** A hold that is over. */
    private static final class Released<K, IN> {
        private final Invocation<K, IN> invocation;
        private final int slot;
        @Nullable private final String error;

        Released(Invocation<K, IN> invocation, int slot, @Nullable String error) {
            this.invocation = invocation;
            this.slot = slot;
            this.error = error;
        }
    }

    private final String operator;
    private final CallLog log;
    private final TypeSerializer<K> keySerializer;
    private final int maxParallelism;
    private final DurableCounters counters;
    private final Runnable wake;

    private final Unclaimed<K> unclaimed;
    private final Queue<Released<K, IN>> released = new ConcurrentLinkedQueue<>();
    private final SortedSet<Long> checkpoints = new TreeSet<>();

    /** Why an entry that no call waits for is not in the log; null if all are. */
    @Nullable private volatile IOException failure;

    private final DataOutputSerializer keyBuffer = new DataOutputSerializer(64);

    /**
     * @param wake has the task look for what is released; any thread
     */
    WriteAhead(
            String operator,
            CallLog log,
            Unclaimed<K> unclaimed,
            TypeSerializer<K> keySerializer,
            int maxParallelism,
            DurableCounters counters,
            Runnable wake) {
        this.operator = operator;
        this.log = log;
        this.unclaimed = unclaimed;
        this.keySerializer = keySerializer;
        this.maxParallelism = maxParallelism;
        this.counters = counters;
        this.wake = wake;
    }

    // ------------------------------------------------------------------ after a failure

    /** Reads what earlier attempts left. */
    void recover() throws Exception {
        unclaimed.restore();
        log.recover(unclaimed::add);
        if (unclaimed.size() > 0) {
            LOG.info(
                    "Operator {} recovered calls of {} invocations from its call log",
                    operator,
                    unclaimed.size());
        }
    }

    /**
     * The keys of invocations that the log knows beyond the checkpoint.
     *
     * <p>One of them may be parked in that. It is to go on at once: what the log holds of it would
     * be kept in memory, and in each checkpoint, for the days of its wait.
     */
    List<K> knownKeys() throws IOException {
        List<K> keys = new ArrayList<>();
        for (byte[] key : unclaimed.keys()) {
            keys.add(keySerializer.deserialize(new DataInputDeserializer(key)));
        }
        return keys;
    }

    /** How many invocations the log knows whose input has not come back. */
    int waiting() {
        return unclaimed.size();
    }

    /**
     * Tells which invocation this is, and merges what the log holds of it into its journal.
     *
     * @return how many slots the journal has then; {@link HostRequests#OTHER_VERSION} if the log
     *     knows the invocation by a digest of another version, which is to be told instead
     */
    int identify(Invocation<K, IN> invocation, String invocationId, String inputDigest)
            throws IOException {
        Owner owner =
                new Owner(
                        KeyGroupRangeAssignment.assignToKeyGroup(invocation.key(), maxParallelism),
                        serialize(invocation.key()),
                        invocationId,
                        invocation.input().sequence(),
                        inputDigest);
        RecoveredJournal found = unclaimed.get(owner);
        if (found != null && !version(found.owner().inputDigest()).equals(version(inputDigest))) {
            return HostRequests.OTHER_VERSION;
        }
        invocation.setOwner(owner);
        unclaimed.remove(owner);
        if (found != null && found.owner().inputDigest().equals(inputDigest)) {
            counters.add("recovered", found.mergeInto(invocation.journal()));
        } else if (found != null) {
            counters.add("unclaimed", found.size());
            LOG.warn(
                    "Operator {} dropped {} calls that its log holds of invocation {} of a key:"
                            + " the input came back with another value, so they are not its. After"
                            + " a failure the inputs of a key must come back in the same order; if"
                            + " they do not, set DurableOptions(invocation_id=...).",
                    operator,
                    found.size(),
                    oneLine(invocationId));
        }
        return invocation.journal().size();
    }

    /** An id comes from outside: a line break in it could write any line into the log. */
    static String oneLine(String invocationId) {
        return invocationId.replaceAll("[\\p{Cntrl}\\u0085\\u2028\\u2029]", "?");
    }

    /** What a digest begins with, up to a colon; those of release 0.1 have none. */
    private static String version(String digest) {
        return digest.substring(0, digest.indexOf(':') + 1);
    }

    private byte[] serialize(K key) throws IOException {
        keyBuffer.clear();
        keySerializer.serialize(key, keyBuffer);
        return keyBuffer.getCopyOfBuffer();
    }

    // ------------------------------------------------------------------ any thread

    /**
     * A slot was written.
     *
     * @param held whether the call waits until the log has taken it
     */
    void written(Invocation<K, IN> invocation, int slot, boolean held) {
        Owner owner = owner(invocation);
        Call call = invocation.journal().callAt(slot);
        LogEntry entry = owner.entry(slot, call);
        if (held) {
            invocation.waitsForLog(1);
        }
        append(entry, held ? error -> release(invocation, slot, describe(error)) : this::failTask);
    }

    /** Slots were dropped, from this one on. */
    void cleared(Invocation<K, IN> invocation, int slot) {
        append(owner(invocation).entry(slot, null), this::failTask);
    }

    private static Owner owner(Invocation<?, ?> invocation) {
        Owner owner = invocation.owner();
        if (owner == null) {
            throw new IllegalStateException(
                    "Invocation " + invocation.id() + " was not identified to the call log.");
        }
        return owner;
    }

    private void append(LogEntry entry, AppendCallback callback) {
        counters.add("logAppends", 1);
        log.append(
                entry,
                error -> {
                    if (error != null) {
                        counters.add("logErrors", 1);
                    }
                    callback.onAppended(error);
                });
    }

    @Nullable
    private static String describe(@Nullable IOException error) {
        return error == null ? null : String.valueOf(error.getMessage());
    }

    private void failTask(@Nullable IOException error) {
        if (error != null) {
            failure = error;
            wake.run();
        }
    }

    private void release(Invocation<K, IN> invocation, int slot, @Nullable String error) {
        released.add(new Released<>(invocation, slot, error));
        wake.run();
    }

    // ------------------------------------------------------------------ the task's steps

    /** Adds the holds that are over, in the order of their appends, to those of the gate. */
    @Nullable
    Object[] takeReleased(@Nullable Object[] ofGate) throws IOException {
        IOException failed = failure;
        if (failed != null) {
            throw new IOException(
                    "Operator " + operator + " could not write to its call log", failed);
        }
        if (released.isEmpty()) {
            return ofGate;
        }
        List<Object> all = new ArrayList<>(ofGate == null ? List.of() : Arrays.asList(ofGate));
        Released<K, IN> hold;
        while ((hold = released.poll()) != null) {
            hold.invocation.waitsForLog(-1);
            all.addAll(Arrays.asList(hold.invocation.id(), hold.slot, hold.error));
        }
        return all.toArray();
    }

    // ------------------------------------------------------------------ checkpoints

    /** A snapshot begins; to be called before the journals are saved. Selects other keys. */
    void snapshotBegins(long checkpointId, boolean savepoint) throws Exception {
        log.onSnapshot(checkpointId);
        if (!savepoint) {
            checkpoints.add(checkpointId);
        }
        unclaimed.saveChanges();
    }

    /** A checkpoint has completed: the log may forget what it holds. */
    void complete(long checkpointId) {
        if (checkpoints.contains(checkpointId)) {
            checkpoints.headSet(checkpointId + 1).clear();
            log.onCheckpointComplete(checkpointId);
        }
    }

    @Override
    public void close() {
        log.close();
    }
}
