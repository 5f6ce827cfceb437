package pyflink.durable.engine;

import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import pyflink.durable.state.HeldWatermarks;
import pyflink.durable.state.Input;

/**
 * Holds the watermarks back that would make the outputs of parked inputs late, or has such outputs
 * pass them: between the {@link WatermarkHold} of what is in memory and the operators behind.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>By default nothing that is parked holds a watermark: a wait of two days for one customer
 *       would be two days in which no window of any other ends. The outputs then get a timestamp
 *       behind the last watermark that came in, or they would be late.
 *   <li>If the job wants outputs at the time of their input, what is parked holds, from when it is
 *       parked to its end, also while it is awake in between: the watermarks that it held would
 *       pass it at its first wake-up otherwise.
 *   <li>Of held watermarks the last is kept, and the limits are in the state backend. What goes on
 *       is the limit of the next input that holds, if it is below: kept one by one, those of a
 *       month would fill the memory.
 *   <li>An input whose outputs are late anyhow holds nothing. What it would hold has passed.
 *   <li>An idle status waits as long as a watermark does. Downstream would go on without this
 *       stream, and past its outputs.
 * </ul>
 */
final class ParkedWatermarks<K, IN> implements WatermarkHold.Downstream {

    private static final long NONE = Long.MIN_VALUE;

    private final WatermarkHold.Downstream downstream;

    /** Null until it is open. */
    private HeldWatermarks<K> held;

    private boolean holds;

    /** The last that may go on as far as what is in memory is concerned. */
    private long came = NONE;

    /** The last that went on, in this attempt or before. */
    private long passed = NONE;

    private long emitted = NONE;
    private boolean idleHeld;

    ParkedWatermarks(WatermarkHold.Downstream downstream) {
        this.downstream = downstream;
    }

    /**
     * @param newHolds whether what is parked holds watermarks back
     * @param restored the last one that had gone on by the restored checkpoint
     */
    void open(HeldWatermarks<K> newHeld, boolean newHolds, long restored) throws Exception {
        held = newHeld;
        holds = newHolds;
        passed = restored;
        if (!holds) {
            held.clear();
        }
    }

    // ------------------------------------------------------------------ what passes

    @Override
    public void emitWatermark(long watermark) throws Exception {
        came = watermark;
        release();
    }

    @Override
    public void emitWatermarkStatus(WatermarkStatus status) throws Exception {
        if (status.isActive() && idleHeld) {
            idleHeld = false;
        } else if (status.isActive() || mayPass()) {
            downstream.emitWatermarkStatus(status);
        } else {
            idleHeld = true;
        }
    }

    private boolean mayPass() {
        return !holds || held == null || held.lowest() == Long.MAX_VALUE;
    }

    /** Sends on what nothing holds back any more. */
    @Override
    public void release() throws Exception {
        long next = mayPass() ? came : Math.min(came, held.lowest());
        if (next > emitted) {
            emitted = next;
            passed = Math.max(passed, next);
            downstream.emitWatermark(next);
        }
        if (idleHeld && mayPass()) {
            idleHeld = false;
            downstream.emitWatermarkStatus(WatermarkStatus.IDLE);
        }
    }

    // ------------------------------------------------------------------ what is parked

    /**
     * An input of the selected key is parked.
     *
     * @return whether it holds watermarks back
     */
    boolean park(Input<IN> input) {
        Long timestamp = input.outputTimestamp();
        boolean mayBeLate = holds && timestamp != null && timestamp > passed;
        if (mayBeLate) {
            held.add(input);
        }
        return mayBeLate;
    }

    /**
     * An input of the selected key goes on.
     *
     * @param received the last watermark that came in
     * @return the input, whose outputs are behind all that it does not hold
     */
    Input<IN> wake(Input<IN> input, long received) {
        return park(input) ? input : input.behind(Math.max(received, passed));
    }

    /** An input of the selected key has ended that was parked, or may have been. */
    void finish(Input<IN> input) {
        if (holds && input.outputTimestamp() != null) {
            held.remove(input);
        }
    }

    /** Behind which outputs of later attempts are not late. */
    long last(long received) {
        return holds ? passed : Math.max(received, passed);
    }
}
