package pyflink.durable.state;

import java.util.Iterator;
import java.util.Set;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.api.common.state.BroadcastState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeutils.base.StringSerializer;

/**
 * What every checkpoint tells of the call log: the job that took it, since its id alone says
 * nothing to another job, and the log that it goes with.
 *
 * <p>Broadcast state: the same in each subtask, and whoever restores gets it, whatever the
 * parallelism is and whichever subtasks had finished ({@code
 * RoundRobinOperatorStateRepartitioner}). Release 0.1 had it as union state. With that Flink
 * refuses every checkpoint once a subtask has finished and others have not ({@code
 * DefaultCheckpointPlan}), so calls at the gate waited for ever. It looks at the handles of the
 * snapshot: the old state must go from there, not just be empty.
 */
public final class CallLogState {

    static final String NAME = "durable-call-log";

    /** The state of release 0.1. */
    static final String UNION_NAME = "durable-call-log-job";

    private static final String JOB = "job";
    private static final String LOG = "log";

    private final BroadcastState<String, String> entries;
    @Nullable private final String restoredJob;

    private CallLogState(BroadcastState<String, String> entries, @Nullable String unionJob)
            throws Exception {
        this.entries = entries;
        String job = entries.get(JOB);
        this.restoredJob = job == null ? unionJob : job;
    }

    public static CallLogState in(OperatorStateStore store) throws Exception {
        String unionJob = null;
        if (store.getRegisteredStateNames().contains(UNION_NAME)) {
            Iterator<String> jobs =
                    store.getUnionListState(
                                    new ListStateDescriptor<>(
                                            UNION_NAME, StringSerializer.INSTANCE))
                            .get()
                            .iterator();
            unionJob = jobs.hasNext() ? jobs.next() : null;
            forget(store::getRegisteredStateNames, UNION_NAME);
        }
        return new CallLogState(
                store.getBroadcastState(
                        new MapStateDescriptor<>(
                                NAME, StringSerializer.INSTANCE, StringSerializer.INSTANCE)),
                unionJob);
    }

    /**
     * Forgets the log of an operator that has none any more. Flink would write restored state on
     * and on: a later release of the job, with a log, would take a checkpoint of this one for one
     * of the job that had the log.
     *
     * @return whether there was one
     */
    public static boolean forget(OperatorStateStore store) {
        boolean union = forget(store::getRegisteredStateNames, UNION_NAME);
        return forget(store::getRegisteredBroadcastStateNames, NAME) || union;
    }

    /** The names are those of the backend's own map: Flink has no other way to drop such state. */
    private static boolean forget(Supplier<Set<String>> names, String name) {
        boolean removed = names.get().remove(name);
        if (names.get().contains(name)) {
            throw new IllegalStateException(
                    "This version of Flink keeps the state "
                            + name
                            + ", and would take no checkpoint once a subtask has finished. Use a"
                            + " version that the README names.");
        }
        return removed;
    }

    /** The job that took the restored checkpoint; null if it had no log, or there is none. */
    @Nullable
    public String restoredJob() {
        return restoredJob;
    }

    /** The log that the restored checkpoint goes with; null if that is not known. */
    @Nullable
    public String log() throws Exception {
        return entries.get(LOG);
    }

    /** What the checkpoints of this attempt will tell. */
    public void put(String job, String log) throws Exception {
        entries.put(JOB, job);
        entries.put(LOG, log);
    }
}
