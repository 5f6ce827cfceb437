package pyflink.durable.engine;

import java.util.TreeSet;
import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Holds watermarks back that would make an output late: those that came behind an input in flight
 * and are not below its timestamp, which its outputs will have.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>A watermark waits for the inputs in front of it whose timestamp it reaches. It would
 *       overtake their outputs, and a window downstream would drop these as late.
 *   <li>It waits for no other. A call that takes long would hold up the windows that ended before
 *       its input's time, of all keys.
 *   <li>An input without a timestamp, or one that was late when it came, holds back every watermark
 *       behind it: its outputs are no later than it was.
 *   <li>An idle status waits for every input in front of it, and for the watermarks that they hold
 *       back. Downstream goes on by the watermarks of other streams alone while this one is idle,
 *       however far, and ignores those of this one.
 *   <li>A stream that is active again while its idle status waits was not idle, as far as
 *       downstream is concerned. Statuses would pile up behind a long call otherwise.
 *   <li>Watermarks that wait for the same inputs are one, the last. A call of an hour would keep
 *       thousands.
 * </ul>
 *
 * <p>A held watermark rests on a {@link Group}: the one with the highest limit below it. When that
 * has ended, the watermark rests on the next lower one, and there takes the place of an earlier
 * watermark, for which it waited anyhow. When there is none, it goes on.
 */
final class WatermarkHold {

    private static final long NONE = Long.MIN_VALUE;

    /** Where to send on what is held back no more. */
    interface Downstream {
        void emitWatermark(long timestamp) throws Exception;

        void emitWatermarkStatus(WatermarkStatus status) throws Exception;

        /** Outputs have been emitted: sends on what it has kept for them. */
        default void release() throws Exception {}
    }

    /** Inputs in flight that hold the same back. */
    static final class Group implements Comparable<Group> {

        /** The highest watermark that may pass the inputs. */
        private final long limit;

        /** How many idle statuses came before the inputs. */
        private final long idles;

        private int inputs;

        /** The watermark that rests on it. */
        private long watermark = NONE;

        private Group(long limit, long idles) {
            this.limit = limit;
            this.idles = idles;
        }

        @Override
        public int compareTo(Group other) {
            int byLimit = Long.compare(limit, other.limit);
            return byLimit != 0 ? byLimit : Long.compare(idles, other.idles);
        }
    }

    private final Downstream downstream;
    private final TreeSet<Group> groups = new TreeSet<>();

    /** That of the last input, which is often that of the next, too. */
    @Nullable private Group last;

    /** The last watermark that came in. */
    private long current = NONE;

    /** A watermark that nothing holds back any more. */
    private long released = NONE;

    private int inFlight;

    /** How many idle statuses came in. */
    private long idles;

    private boolean idleHeld;

    /** How many inputs in flight came before the held idle status. */
    private int inFlightBeforeIdle;

    WatermarkHold(Downstream downstream) {
        this.downstream = downstream;
    }

    /** Takes an accepted input in; to be ended by {@link #finish}. */
    Group enter(@Nullable Long timestamp) {
        boolean wouldBeLate = timestamp == null || timestamp <= current;
        Group group = groupOf(wouldBeLate ? current : timestamp - 1);
        group.inputs++;
        inFlight++;
        return group;
    }

    /** No watermark rests on it: its limit is not below any that came in. */
    private Group groupOf(long limit) {
        if (last == null || last.limit != limit || last.idles != idles || last.inputs == 0) {
            Group wanted = new Group(limit, idles);
            Group below = groups.floor(wanted);
            if (below != null && below.compareTo(wanted) == 0) {
                last = below;
            } else {
                groups.add(wanted);
                last = wanted;
            }
        }
        return last;
    }

    /** An input has ended; its outputs are to be emitted before {@link #release}. */
    void finish(Group group) {
        inFlight--;
        if (idleHeld && group.idles < idles) {
            inFlightBeforeIdle--;
        }
        group.inputs--;
        if (group.inputs > 0) {
            return;
        }
        if (group.watermark != NONE) {
            rest(group.watermark, groups.lower(group));
        }
        groups.remove(group);
    }

    private void rest(long watermark, @Nullable Group on) {
        if (on == null) {
            released = watermark;
        } else {
            on.watermark = watermark;
        }
    }

    /** Takes a watermark that came behind all inputs taken in so far. */
    void hold(long watermark) throws Exception {
        if (watermark > current) { // otherwise it says nothing new
            current = watermark;
            rest(watermark, groups.lower(new Group(watermark, -1)));
            release();
        }
    }

    /** Takes a change of the stream's status that came behind all inputs taken in so far. */
    void hold(WatermarkStatus status) throws Exception {
        if (status.isActive() && idleHeld) {
            idleHeld = false;
        } else if (status.isActive()) {
            downstream.emitWatermarkStatus(status);
        } else if (!idleHeld) {
            idleHeld = true;
            idles++;
            inFlightBeforeIdle = inFlight;
            release();
        }
    }

    /** Sends on what no input holds back any more; to be called when outputs have been emitted. */
    void release() throws Exception {
        if (released != NONE) {
            long watermark = released;
            released = NONE;
            downstream.emitWatermark(watermark);
        }
        if (idleHeld && inFlightBeforeIdle == 0) {
            idleHeld = false;
            downstream.emitWatermarkStatus(WatermarkStatus.IDLE);
        }
        downstream.release();
    }

    /** The last watermark that came in; the smallest number if none has. */
    long last() {
        return current;
    }

    /** How many groups there are: at most one for each input in flight. */
    int size() {
        return groups.size();
    }
}
