package pyflink.durable.operator;

import java.util.ArrayDeque;
import java.util.Deque;
import javax.annotation.Nullable;

/**
 * Holds watermarks back until every input before them has finished.
 *
 * <p>Without it a watermark would overtake the inputs still in flight, and their outputs would
 * reach a downstream window late and be dropped by it. A change of the stream's status waits in the
 * same line: downstream ignores the watermarks of an idle stream, so an idle status that overtook
 * them would lose them.
 *
 * <p>Inputs between two watermarks form an {@link Epoch}; within one they may finish in any order.
 */
final class WatermarkHold {

    /** Sends a held watermark or status on. */
    interface Emission {
        void emit() throws Exception;
    }

    /** The inputs between two held elements. */
    static final class Epoch {
        private int unfinished;
        @Nullable private Emission closing;

        void finishOne() {
            unfinished--;
        }
    }

    private final Deque<Epoch> epochs = new ArrayDeque<>();

    WatermarkHold() {
        epochs.add(new Epoch());
    }

    /** Counts an accepted input; tell its epoch when it has finished. */
    Epoch enter() {
        Epoch current = epochs.getLast();
        current.unfinished++;
        return current;
    }

    /** Takes a watermark or status that came behind all inputs accepted so far. */
    void hold(Emission emission) throws Exception {
        epochs.getLast().closing = emission;
        epochs.addLast(new Epoch());
        release();
    }

    /** Sends on what no input holds back any more; to be called when outputs have been emitted. */
    void release() throws Exception {
        while (epochs.getFirst().closing != null && epochs.getFirst().unfinished == 0) {
            epochs.removeFirst().closing.emit();
        }
    }
}
