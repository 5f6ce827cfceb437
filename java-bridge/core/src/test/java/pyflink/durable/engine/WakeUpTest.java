package pyflink.durable.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import pyflink.durable.operator.DurableBridge;
import pyflink.durable.operator.DurableHarness;

/** What wakes the operator so that it resumes handlers. */
@Timeout(60)
class WakeUpTest {

    @Test
    void oneMailServesManyCompletions() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().open()) {
            for (int i = 0; i < 100; i++) {
                harness.send("key" + i, "1");
            }
            harness.runMails();

            harness.operator.host().running().forEach(HarnessHandler::end);

            assertThat(harness.flink.getTaskMailbox().size()).isEqualTo(1);
            harness.runMails();
            assertThat(harness.outputs()).hasSize(100);
        }
    }

    @Test
    void aCompletionThatArrivesWhileHandlersAreResumedIsNotLost() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 10).open()) {
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator
                    .host()
                    .onStart(
                            handler -> {
                                handler.end();
                                harness.operator.bridge().wake();
                            });

            harness.end("a:1");

            assertThat(harness.outputs()).containsExactly("a:1", "b:1");
        }
    }

    @Test
    void aWakeUpCanBeSetForATime() throws Exception {
        try (DurableHarness harness = DurableHarness.setup().limits(1, 10).open()) {
            List<String> mails = new ArrayList<>();
            harness.send("a", "1");
            harness.send("b", "1");
            harness.operator.bridge().wakeAt(1_000);
            harness.operator.host().onStart(handler -> mails.add(handler.toString()));
            harness.runMails();
            // as if the host's loop ended the handler at that time, with no other wake-up
            harness.operator.host().handler("a:1").endWithoutWake();

            harness.flink.setProcessingTime(999);
            harness.runMails();
            assertThat(harness.outputs()).isEmpty();

            harness.flink.setProcessingTime(1_000);
            harness.runMails();
            assertThat(harness.outputs()).containsExactly("a:1");
            assertThat(mails).containsExactly("b:1");
        }
    }

    @Test
    void afterTheCloseAWakeUpDoesNothing() throws Exception {
        DurableHarness harness = DurableHarness.setup().open();
        harness.send("a", "1");
        HarnessHandler handler = harness.operator.host().handler("a:1");
        DurableBridge bridge = harness.operator.bridge();
        harness.runMails();
        harness.close();

        handler.end();
        bridge.wake();

        assertThat(harness.flink.getTaskMailbox().drain())
                .extracting(Object::toString)
                .doesNotContain("resume handlers");
        assertThat(harness.outputs()).isEmpty();
    }
}
