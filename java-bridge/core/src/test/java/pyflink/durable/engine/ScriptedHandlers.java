package pyflink.durable.engine;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import pyflink.durable.engine.RandomJob.Level;
import pyflink.durable.engine.RandomSettings.Step;
import pyflink.durable.operator.HarnessOperator;

/**
 * The handlers of one subtask of a {@link RandomJob}, which follow their scripts as those in Python
 * would: with locks, with threads of their own or without, with a replay after a failure, and with
 * a reconciler that knows whether a call in doubt was made.
 */
final class ScriptedHandlers {

    private enum Phase {
        /** It waits for a thread or a lock, or has nothing to wait for. */
        INSIDE,
        /** Its call waits until it may start. */
        HELD,
        UNDER_WAY,
        /** The outcome of its call waits for the log. */
        OUTCOME_HELD
    }

    private static final class Run {
        private final HarnessHandler handler;
        private final List<Step> script;
        private final List<String> restored;
        private int at;
        private int slot;
        private Phase phase = Phase.INSIDE;

        Run(HarnessHandler handler, List<Step> script) {
            this.handler = handler;
            this.script = script;
            this.restored = handler.journal();
        }

        String call() {
            return handler + "/" + slot;
        }

        String function() {
            return "call" + slot;
        }
    }

    private final RandomJob job;
    private final RandomSettings settings;
    private final HarnessOperator operator;
    private final Map<Long, Run> runs = new HashMap<>();
    private final List<Run> underWay = new ArrayList<>();
    private final Queue<Run> waitForThread = new ArrayDeque<>();
    private final List<Queue<Run>> waitForLock = new ArrayList<>();
    private final int[] free;
    private int freeThreads;

    /** Whether what is written goes with the report of a step. */
    private boolean inStep;

    ScriptedHandlers(RandomJob job, HarnessOperator operator) {
        this.job = job;
        this.settings = job.settings;
        this.operator = operator;
        freeThreads = settings.threads;
        free = new int[settings.locks];
        for (int lock = 0; lock < settings.locks; lock++) {
            free[lock] = settings.permits;
            waitForLock.add(new ArrayDeque<>());
        }
        operator.host().onStart(this::start);
        operator.host().onRelease(this::release);
    }

    private void start(HarnessHandler handler) {
        Run run = new Run(handler, settings.scriptOf(handler.toString()));
        runs.put(handler.id(), run);
        job.moved();
        if (settings.onThreads && freeThreads == 0) {
            waitForThread.add(run);
        } else {
            freeThreads--;
            step(() -> goOn(run));
        }
    }

    /** A call or its outcome waits no more. */
    private void release(HarnessHandler handler) {
        Run run = runs.get(handler.id());
        job.moved();
        if (run.phase == Phase.HELD) {
            make(run);
        } else {
            step(() -> answered(run));
        }
    }

    private void step(Runnable action) {
        inStep = !settings.onThreads;
        action.run();
        inStep = false;
    }

    /** Some call that is under way ends. */
    void endACall() {
        if (!underWay.isEmpty()) {
            Run run = underWay.remove(job.random.nextInt(underWay.size()));
            job.moved();
            if (giveOutcome(run)) {
                answered(run);
            }
            operator.bridge().wake();
        }
    }

    // ------------------------------------------------------------------ scripts

    private void answered(Run run) {
        run.phase = Phase.INSIDE;
        run.slot++;
        run.at++;
        goOn(run);
    }

    private void goOn(Run run) {
        while (run.at < run.script.size()) {
            Step step = run.script.get(run.at);
            if (step.kind == Step.Kind.UNLOCK) {
                unlock(step.lock);
            } else if (step.kind == Step.Kind.LOCK) {
                if (free[step.lock] == 0) {
                    waitForLock.get(step.lock).add(run);
                    return;
                }
                free[step.lock]--;
            } else if (call(run)) {
                run.slot++;
            } else {
                return;
            }
            run.at++;
        }
        end(run);
    }

    private void unlock(int lock) {
        Run next = waitForLock.get(lock).poll();
        if (next == null) {
            free[lock]++;
        } else {
            next.at++;
            goOn(next);
        }
    }

    private void end(Run run) {
        runs.remove(run.handler.id());
        job.moved();
        run.handler.end();
        Run next = waitForThread.poll();
        if (next == null) {
            freeThreads++;
        } else {
            goOn(next);
        }
    }

    // ------------------------------------------------------------------ calls

    /** Whether the call is answered at once. */
    private boolean call(Run run) {
        if (run.slot >= run.restored.size()) {
            announce(run);
            return false;
        }
        String entry = run.restored.get(run.slot);
        if (entry.contains(" SUCCEEDED")) {
            return true;
        }
        if (job.wasMade(run.call())) { // the reconciler has found it
            return giveOutcome(run);
        }
        again(run);
        return false;
    }

    private void announce(Run run) {
        run.phase = Phase.HELD;
        if (job.level == Level.WRITE_AHEAD) {
            run.handler.callLogged(run.slot, run.function());
        } else if (job.level == Level.GATED && inStep) {
            run.handler.callGatedInStep(run.slot, run.function());
        } else if (job.level == Level.GATED) {
            run.handler.callGated(run.slot, run.function());
        } else {
            if (inStep) {
                run.handler.callInStep(run.slot, run.function());
            } else {
                run.handler.call(run.slot, run.function());
            }
            make(run);
        }
    }

    /** A call in doubt that has not been made; its trace is where the next failure finds it. */
    private void again(Run run) {
        int attempt = 2 + job.random.nextInt(1_000);
        if (job.level == Level.GATED && job.random.nextBoolean()) {
            run.phase = Phase.HELD;
            run.handler.startAttemptGated(run.slot, run.function(), attempt);
        } else {
            run.handler.startAttempt(run.slot, run.function(), attempt);
            make(run);
        }
    }

    private void make(Run run) {
        run.phase = Phase.UNDER_WAY;
        job.make(run.call());
        underWay.add(run);
    }

    /** Whether the handler sees it at once. */
    private boolean giveOutcome(Run run) {
        if (job.level == Level.WRITE_AHEAD) {
            run.phase = Phase.OUTCOME_HELD;
            run.handler.succeedLogged(run.slot, run.function(), "done");
            return false;
        }
        run.handler.succeed(run.slot, run.function(), "done");
        return true;
    }

    @Override
    public String toString() {
        Map<Phase, Integer> phases = new HashMap<>();
        runs.values().forEach(run -> phases.merge(run.phase, 1, Integer::sum));
        return String.format(
                "%d wait for a thread, %d for a lock, in all %s",
                waitForThread.size(), waitForLock.stream().mapToInt(Queue::size).sum(), phases);
    }
}
