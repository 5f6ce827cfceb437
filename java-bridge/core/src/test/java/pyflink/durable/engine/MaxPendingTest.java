package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableHarness;

/** How many inputs may wait before the operator takes in no more. */
@Timeout(60)
class MaxPendingTest {

    @Test
    void anElementIsAcceptedBeforeTheOperatorWaitsForRoom() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 2).open()) {
            harness.runMails();
            harness.send("a", "1");
            harness.send("b", "1");
            List<Integer> waiting = new ArrayList<>();
            harness.operator
                    .mailbox()
                    .execute(
                            () -> {
                                waiting.add(harness.operator.engine().scheduler().waitingCount());
                                harness.operator.host().handler("a:1").end();
                            },
                            "runs during the wait");

            harness.send("c", "1");

            assertThat(waiting).containsExactly(2);
            assertThat(harness.outputs()).containsExactly("a:1");
            assertThat(harness.started()).containsExactly("a:1", "b:1");
        }
    }

    @Test
    void theOperatorWaitsUntilThereIsRoom() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 1).open()) {
            harness.runMails();
            harness.send("a", "1");
            CountDownLatch waits = new CountDownLatch(1);
            HarnessHandler first = harness.operator.host().handler("a:1");
            harness.operator.mailbox().execute(waits::countDown, "the operator waits");
            Thread outside =
                    new Thread(
                            () -> {
                                await(waits);
                                first.end();
                            });
            outside.start();

            harness.send("b", "1"); // returns only when a:1 has ended

            outside.join();
            assertThat(harness.outputs()).containsExactly("a:1");
            assertThat(harness.operator.engine().scheduler().isFull()).isFalse();
        }
    }

    @Test
    void runningInvocationsDoNotCountAgainstMaxPending() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(10, 1).open()) {
            for (int i = 0; i < 10; i++) {
                harness.send("key" + i, "1");
                assertThat(harness.operator.engine().scheduler().isFull()).isFalse();
            }
            assertThat(harness.operator.host().running()).hasSize(10);
        }
    }

    @Test
    void inputsThatWaitForTheirKeyCountAgainstMaxPending() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(10, 2).open()) {
            harness.send("a", "1");
            harness.send("a", "2");
            assertThat(harness.operator.engine().scheduler().isFull()).isFalse();

            harness.runMails();
            harness.operator
                    .mailbox()
                    .execute(() -> harness.operator.host().handler("a:1").end(), "makes room");
            harness.send("a", "3");
            assertThat(harness.started()).containsExactly("a:1", "a:2");
        }
    }

    private void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
