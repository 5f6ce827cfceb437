package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static pyflink.durable.engine.FailoverJournals.journalsIn;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** Worker threads come to the gate while a snapshot is taken. */
@Timeout(60)
class GateThreadsTest {

    @Test
    void aCallThatWasPutInTheQueueBeforeTheSnapshotBelongsToIt() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.operator.host().handler("a:1").callGated(0, "charge"); // no mail has run since

            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
        }
    }

    @Test
    void aSnapshotBetweenTheWriteAndTheEntryDoesNotCoverTheCall() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            HarnessHandler handler = harness.operator.host().handler("a:1");
            handler.call(0, "charge");
            long first = harness.checkpoint();
            handler.enterGate(0);

            harness.complete(first);
            assertThat(harness.operator.host().takeReleases()).isEmpty();
            harness.complete(harness.checkpoint());
            assertThat(harness.operator.host().takeReleases()).containsExactly("a:1 0");
        }
    }

    @Test
    void aCallMadeWhileTheJournalsAreSavedWaitsForTheNextCheckpoint() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.checkpoint(); // the journal of a:1 has nothing more to save
            HarnessHandler late = harness.operator.host().handler("a:1");
            harness.operator.host().handler("b:1").callGated(0, "charge");
            harness.operator
                    .accesses()
                    .before("durable-journal.put", () -> late.callGated(0, "charge"));

            long checkpoint = harness.checkpoint();
            harness.complete(checkpoint);

            assertThat(harness.operator.host().takeReleases()).containsExactly("b:1 0");
            assertThat(journalsIn(harness, checkpoint)).containsExactly("b:1 charge PENDING");
        }
    }

    @Test
    void whateverWorkersDoAReleasedCallIsInItsCheckpoint() throws Exception {
        int keys = 50;
        try (DurableHarness harness = DurableHarness.setup().open()) {
            for (int i = 0; i < keys; i++) {
                harness.send("key" + i, "1");
            }
            List<HarnessHandler> handlers = harness.operator.host().running();
            List<String> released = new ArrayList<>();
            for (int round = 0; round < 20; round++) {
                int slot = round;
                CountDownLatch begun = new CountDownLatch(1);
                Thread worker =
                        new Thread(
                                () -> {
                                    for (int i = 0; i < keys; i++) {
                                        handlers.get(i).callGated(slot, "call" + slot);
                                        if (i == keys / 4) {
                                            begun.countDown();
                                        }
                                    }
                                });
                worker.start();
                assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();
                long checkpoint = harness.checkpoint();
                harness.complete(checkpoint);
                worker.join();

                List<String> covered = journalsIn(harness, checkpoint);
                for (String release : harness.operator.host().takeReleases()) {
                    String[] nameAndSlot = release.split(" ");
                    assertThat(covered)
                            .contains(nameAndSlot[0] + " call" + nameAndSlot[1] + " PENDING");
                    released.add(release);
                }
            }
            harness.complete(harness.checkpoint());
            released.addAll(harness.operator.host().takeReleases());
            assertThat(released).hasSize(20 * keys).doesNotHaveDuplicates();
        }
    }
}
