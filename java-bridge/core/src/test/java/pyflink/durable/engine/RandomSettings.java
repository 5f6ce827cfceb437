package pyflink.durable.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** What a {@link RandomJob} is like: its limits, its inputs, and what its handlers do. */
final class RandomSettings {

    final int maxInFlight;
    final int maxPending;

    /** Whether handlers have a thread each, of these. */
    final boolean onThreads;

    final int threads;

    /** How many handlers may have each lock, of those that they share. */
    final int permits;

    final int locks;
    final int startsPerStep;
    final long networkCapacity;
    private final int keys;
    private final int inputCount;
    private final long seed;

    RandomSettings(Random random) {
        maxInFlight = 1 + random.nextInt(6);
        maxPending = 1 + random.nextInt(12);
        onThreads = random.nextBoolean();
        threads = 1 + random.nextInt(4);
        permits = 1 + random.nextInt(2);
        locks = random.nextInt(3);
        startsPerStep = random.nextInt(3) == 0 ? 1 + random.nextInt(3) : Integer.MAX_VALUE;
        networkCapacity = 100L * random.nextInt(20);
        keys = 1 + random.nextInt(50);
        inputCount = 10 + random.nextInt(50);
        seed = random.nextLong();
    }

    /** As {@code key:value}, each value once. */
    List<String> inputs() {
        Random random = new Random(seed);
        List<String> inputs = new ArrayList<>();
        for (int i = 0; i < inputCount; i++) {
            inputs.add("key" + random.nextInt(keys) + ":" + i);
        }
        return inputs;
    }

    /** What the handler of an input does, in each run the same: calls, some under a lock. */
    List<Step> scriptOf(String input) {
        Random random = new Random(seed + input.hashCode());
        List<Step> script = new ArrayList<>();
        for (int call = random.nextInt(4); call >= 0; call--) {
            int lock = random.nextInt(2) < locks ? random.nextInt(locks) : -1;
            if (lock >= 0) {
                script.add(new Step(Step.Kind.LOCK, lock));
            }
            script.add(new Step(Step.Kind.CALL, 0));
            if (lock >= 0) {
                script.add(new Step(Step.Kind.UNLOCK, lock));
            }
        }
        return script;
    }

    /** One step of a script. */
    static final class Step {
        enum Kind {
            CALL,
            LOCK,
            UNLOCK
        }

        final Kind kind;
        final int lock;

        private Step(Kind kind, int lock) {
            this.kind = kind;
            this.lock = lock;
        }
    }

    @Override
    public String toString() {
        return String.format(
                "max_in_flight %d, max_pending %d, %s, %d locks for %d each, %d inputs of %d keys",
                maxInFlight,
                maxPending,
                onThreads ? threads + " threads" : "async",
                locks,
                permits,
                inputCount,
                keys);
    }
}
