package pyflink.durable.engine;

import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.RuntimeContext;
import pyflink.durable.state.UserState;

/** What an {@link InvocationEngine} does for the host of its handlers. */
final class EngineRequests<K, IN> implements HostRequests {

    private final String name;
    private final FlinkTask task;
    private final RunningInvocations invocations;

    /** Null until the engine is open. */
    private EngineParts<K, IN> parts;

    /**
     * @param name of the operator
     */
    EngineRequests(String name, FlinkTask task, RunningInvocations invocations) {
        this.name = name;
        this.task = task;
        this.invocations = invocations;
    }

    void open(EngineParts<K, IN> newParts) {
        parts = newParts;
    }

    @Override
    public void wake() {
        if (!invocations.isClosed()) {
            parts.steps.askToResume();
        }
    }

    @Override
    public void wakeAt(long epochMillis) {
        // a mail, since Flink lets the task go on after a timer that failed
        task.getProcessingTimeService().registerTimer(epochMillis, time -> wake());
    }

    @Override
    public Object externalKey(Invocation<?, ?> invocation) {
        return task.externalKey(invocation.key());
    }

    @Override
    public UserState userState(long id) {
        task.setCurrentKey(parts.scheduler.running(id).key());
        return parts.userState;
    }

    @Override
    public Signals<?, ?> signals(long id) {
        if (parts.signals == null) {
            throw new IllegalStateException("Operator " + name + " has no input of signals.");
        }
        task.setCurrentKey(parts.scheduler.running(id).key());
        return parts.signals;
    }

    @Override
    public Object[] describeTask() {
        RuntimeContext context = task.getRuntimeContext();
        TaskInfo info = context.getTaskInfo();
        return new Object[] {
            context.getJobInfo().getJobId().toHexString(),
            info.getTaskName(),
            info.getTaskNameWithSubtasks(),
            info.getIndexOfThisSubtask(),
            info.getNumberOfParallelSubtasks(),
            info.getMaxNumberOfParallelSubtasks(),
            info.getAttemptNumber()
        };
    }

    @Override
    public boolean hasSideOutput(String tag) {
        return task.hasSideOutput(tag);
    }

    @Override
    @SuppressWarnings("unchecked")
    public int identify(Invocation<?, ?> invocation, String invocationId, String inputDigest)
            throws IOException {
        if (parts.writeAhead == null) {
            throw new IllegalStateException("Operator " + name + " has no call log.");
        }
        return parts.writeAhead.identify((Invocation<K, IN>) invocation, invocationId, inputDigest);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void written(Invocation<?, ?> invocation, int slot, @Nullable String hold) {
        parts.holds.written((Invocation<K, IN>) invocation, slot, hold);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void cleared(Invocation<?, ?> invocation, int slot) {
        parts.holds.cleared((Invocation<K, IN>) invocation, slot);
    }
}
