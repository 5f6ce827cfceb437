package pyflink.durable.engine;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.util.function.ThrowingRunnable;
import pyflink.durable.operator.DurableHarness;
import pyflink.durable.operator.MemoryCallLog;

/** A subtask of a {@link RandomJob}: the real operator, what comes to it and what is behind it. */
final class RandomSubtask {

    private static final long BYTES_OF_AN_INPUT = 100;

    final int index;
    final DurableHarness harness;
    final ScriptedHandlers host;

    /** Numbers of the inputs that it has accepted in this attempt, and of those in front of it. */
    final Set<Integer> taken = new HashSet<>();

    final Deque<Integer> toCome = new ArrayDeque<>();
    boolean hasEnded;

    private final RandomJob job;
    @Nullable private final MemoryCallLog.Attempt log;
    private CompletableFuture<Void> room = CompletableFuture.completedFuture(null);
    private int recovering;
    private int waits;

    RandomSubtask(RandomJob job, int index, DurableHarness harness, @Nullable MemoryCallLog log) {
        this.job = job;
        this.index = index;
        this.harness = harness;
        this.log = log == null ? null : log.attempt();
        host = new ScriptedHandlers(job, harness.operator);
        harness.operator.host().startsPerStep(job.settings.startsPerStep);
        harness.operator.outputAvailable(() -> room);
        harness.operator.network().capacity(job.settings.networkCapacity);
        recovering = job.random.nextInt(4);
    }

    /** Gives the operator its next input; returns when it has room for another. */
    void takeNext(List<String> inputs) throws Exception {
        int number = toCome.remove();
        taken.add(number);
        harness.operator.network().recovering(recovering-- > 0);
        harness.operator.network().read(BYTES_OF_AN_INPUT);
        String[] keyAndValue = inputs.get(number).split(":");
        harness.send(keyAndValue[0], keyAndValue[1]);
    }

    /**
     * From here on the operator may wait for mails; then the world goes on in one of them.
     *
     * @param isInnermost whether no other subtask's wait has begun in this one's
     */
    void waits(ThrowingRunnable<Exception> step, BooleanSupplier isInnermost) {
        goOnWaiting(step, isInnermost, waits);
    }

    private void goOnWaiting(
            ThrowingRunnable<Exception> step, BooleanSupplier isInnermost, int wait) {
        harness.operator
                .mailbox()
                .execute(
                        () -> {
                            if (wait == waits) {
                                if (isInnermost.getAsBoolean()) {
                                    step.run();
                                }
                                goOnWaiting(step, isInnermost, wait);
                            }
                        },
                        "a step of the world");
    }

    void waitIsOver() {
        waits++;
    }

    void runAMail() throws Exception {
        Optional<Mail> mail = harness.flink.getTaskMailbox().tryTake(TaskMailbox.MIN_PRIORITY);
        if (mail.isPresent()) {
            mail.get().run();
        }
    }

    void flushLog() {
        if (log != null) {
            log.flush();
        }
    }

    /** The operators behind take no more outputs, or take them again. */
    void turnConsumer() {
        if (!room.isDone()) {
            room.complete(null);
        } else if (job.random.nextInt(4) == 0) {
            room = new CompletableFuture<>();
        }
    }

    @Override
    public String toString() {
        return String.format(
                "Subtask %d: %d inputs to come, %d run, %d wait, %d at the gate, %s%s",
                index,
                toCome.size(),
                harness.operator.engine().scheduler().runningCount(),
                harness.operator.engine().scheduler().waitingCount(),
                harness.operator.engine().atGate(),
                host,
                hasEnded ? ", has ended" : "");
    }
}
