package pyflink.durable.engine;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import pyflink.durable.engine.RandomJob.Level;

/**
 * Random jobs: limits, loads, forms of handlers, shared threads and locks, checkpoints that are
 * late, aborted or not told of, crashes, other parallelisms, slow consumers, and subtasks that end
 * at different times. None may hang, each input is answered once, and at the levels that promise it
 * no call is made twice, by the outside's own account.
 *
 * <p>The operator is the real one, and so are its gate, valve, log and scheduler. Its handlers are
 * scripts, and the clock is the test's: a job takes a few milliseconds and is the same in each run.
 * On a mini-cluster a minute holds some forty jobs, in an order that no seed repeats.
 *
 * <p>By hand: {@code mvn test -pl core -Dtest=RandomLivenessTest -Ddurable.test.seconds=600}, with
 * {@code -Ddurable.test.seed=N} to begin at a seed. A failure names its own.
 */
@Timeout(100_000)
class RandomLivenessTest {

    private static final int JOBS = 50;

    /** For how long each level is tested; 0 for a number of jobs that is the same everywhere. */
    private static final int SECONDS = Integer.getInteger("durable.test.seconds", 0);

    private static final Integer SEED = Integer.getInteger("durable.test.seed");

    @ParameterizedTest
    @EnumSource(Level.class)
    void nothingHangsAndNothingIsRepeated(Level level) throws Exception {
        int first = SEED != null ? SEED : SECONDS > 0 ? new Random().nextInt(1_000_000_000) : 0;
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        for (int seed = first; goesOn(seed - first, end); seed++) {
            try {
                new RandomJob(level, seed).run();
            } catch (Exception | Error e) {
                throw new AssertionError(
                        level + ", again with -Ddurable.test.seed=" + seed + ": " + e.getMessage(),
                        e);
            }
        }
    }

    private static boolean goesOn(int done, long end) {
        return SECONDS > 0 ? System.nanoTime() - end < 0 : done < JOBS;
    }
}
