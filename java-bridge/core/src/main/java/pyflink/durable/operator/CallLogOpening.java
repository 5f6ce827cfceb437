package pyflink.durable.operator;

import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.CallLogFactory;
import pyflink.durable.log.RestoredCheckpoint;

/**
 * Opens the call log of an attempt: learns which checkpoint is restored, and of which job, since
 * the log is read from there on.
 */
final class CallLogOpening {

    private final Map<String, String> settings;
    private final String uid;
    private final String jobId;
    @Nullable private RestoredCheckpoint restored;

    CallLogOpening(Map<String, String> settings, String uid, String jobId) {
        this.settings = settings;
        this.uid = uid;
        this.jobId = jobId;
    }

    /** Every checkpoint names the job that took it: its id alone says nothing to another job. */
    void initializeState(StateInitializationContext context) throws Exception {
        ListState<String> owner =
                context.getOperatorStateStore()
                        .getUnionListState(
                                new ListStateDescriptor<>(
                                        "durable-call-log-job", StringSerializer.INSTANCE));
        if (context.getRestoredCheckpointId().isPresent()) {
            Iterator<String> owners = owner.get().iterator();
            restored =
                    new RestoredCheckpoint(
                            owners.hasNext() ? owners.next() : RestoredCheckpoint.NO_LOG,
                            context.getRestoredCheckpointId().getAsLong());
        }
        owner.update(List.of(jobId));
    }

    CallLog open(StreamingRuntimeContext context, KeyGroupRange keyGroups, ClassLoader classLoader)
            throws IOException {
        return CallLogFactory.open(
                settings,
                new CallLogContext(
                        uid,
                        jobId,
                        context.getTaskInfo().getIndexOfThisSubtask(),
                        context.getTaskInfo().getNumberOfParallelSubtasks(),
                        context.getTaskInfo().getMaxNumberOfParallelSubtasks(),
                        context.getTaskInfo().getAttemptNumber(),
                        keyGroups,
                        restored),
                classLoader);
    }
}
