package pyflink.durable.engine;

import java.util.concurrent.atomic.LongAdder;

/**
 * Counts what moves in an operator: journal writes and the ends of invocations. An operator that
 * has work and moves nothing waits for something. Any thread.
 */
final class Progress {

    private final LongAdder moves = new LongAdder();

    void moved() {
        moves.increment();
    }

    long moves() {
        return moves.sum();
    }
}
