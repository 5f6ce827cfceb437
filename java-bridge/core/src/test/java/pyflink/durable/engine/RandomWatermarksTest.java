package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random inputs, ends, watermarks and statuses against the rule in its plainest form: all that came
 * in stands in one line, and a watermark may pass what is in front of it and ahead of it.
 */
class RandomWatermarksTest {

    private static final int STEPS = 5_000;
    private static final int TIMES = 40;

    private final List<String> sent = new ArrayList<>();
    private final WatermarkHold hold = new WatermarkHold(WatermarkHoldTest.downstream(sent));

    private final List<Place> line = new ArrayList<>();
    private long watermark = Long.MIN_VALUE;
    private long sentWatermark = Long.MIN_VALUE;
    private boolean idle;
    private boolean sentIdle;

    /** An input in flight, or a watermark, or an idle status. */
    private static final class Place {
        private WatermarkHold.Group input;
        private Long timestamp;
        private boolean wasLate;
        private long watermark = Long.MIN_VALUE;
        private boolean idle;

        private boolean isHeldBy(Place before) {
            boolean reached =
                    before.timestamp == null || before.wasLate || before.timestamp <= watermark;
            return before.input != null && (idle || reached);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void whatGoesOnIsAllThatMayAndNoMore(long seed) throws Exception {
        Random random = new Random(seed);
        for (int step = 0; step < STEPS; step++) {
            takeStep(random);
            goOn();
            assertThat(last("\\d+", String.valueOf(Long.MIN_VALUE)))
                    .as("seed %d, step %d", seed, step)
                    .isEqualTo(String.valueOf(sentWatermark));
            assertThat(last("idle|active", "active"))
                    .as("seed %d, step %d", seed, step)
                    .isEqualTo(sentIdle ? "idle" : "active");
            assertThat(hold.size()).isLessThanOrEqualTo((int) inputs());
        }
        while (inputs() > 0) {
            finishOne(random);
        }
        goOn();
        assertThat(sentWatermark).isEqualTo(watermark);
        assertThat(sentIdle).isEqualTo(idle);
        assertThat(last("\\d+", "")).isEqualTo(String.valueOf(watermark));
    }

    private void takeStep(Random random) throws Exception {
        int action = random.nextInt(20);
        if (action < 9) {
            enter(random);
        } else if (action < 16) {
            for (int i = random.nextInt(4); i >= 0 && inputs() > 0; i--) {
                finishOne(random);
            }
            hold.release();
        } else if (action < 19) {
            Place place = new Place();
            watermark = Math.max(watermark, 0) + 1 + random.nextInt(TIMES / 4);
            place.watermark = watermark;
            line.add(place);
            hold.hold(watermark);
        } else {
            changeStatus();
        }
    }

    private void enter(Random random) {
        Place place = new Place();
        if (random.nextInt(10) > 0) {
            place.timestamp = Math.max(watermark, 0) - TIMES / 2 + random.nextInt(TIMES);
            place.wasLate = place.timestamp <= watermark;
        }
        place.input = hold.enter(place.timestamp);
        line.add(place);
    }

    private void finishOne(Random random) {
        List<Place> running = new ArrayList<>(line);
        running.removeIf(place -> place.input == null);
        Place ended = running.get(random.nextInt(running.size()));
        hold.finish(ended.input);
        line.remove(ended);
    }

    private void changeStatus() throws Exception {
        idle = !idle;
        if (idle) {
            Place place = new Place();
            place.idle = true;
            line.add(place);
        } else if (!line.removeIf(place -> place.idle)) {
            sentIdle = false;
        }
        hold.hold(idle ? WatermarkStatus.IDLE : WatermarkStatus.ACTIVE);
    }

    /** Takes out of the line what nothing in front of it holds back. */
    private void goOn() throws Exception {
        hold.release();
        for (Place place : new ArrayList<>(line)) {
            List<Place> before = line.subList(0, line.indexOf(place));
            if (place.input == null && before.stream().noneMatch(place::isHeldBy)) {
                sentWatermark = Math.max(sentWatermark, place.watermark);
                sentIdle |= place.idle;
                line.remove(place);
            }
        }
    }

    private long inputs() {
        return line.stream().filter(place -> place.input != null).count();
    }

    private String last(String kind, String otherwise) {
        return sent.stream().filter(one -> one.matches(kind)).reduce((a, b) -> b).orElse(otherwise);
    }
}
