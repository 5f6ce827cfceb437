package pyflink.durable.log.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;
import pyflink.durable.log.OpenLog;

@EnabledForJreRange(min = JRE.JAVA_17)
class KafkaBrokerLossTest {

    @Test
    void appendsFailWhileTheBrokerIsDeadAndNothingDurableIsLost(@TempDir Path directory)
            throws Exception {
        try (KafkaBroker broker = new KafkaBroker(directory)) {
            broker.start();
            OpenLog hasty = ofJob("a0").open(settings(broker, "2 s"));
            OpenLog patient = ofJob("b0").uid("refunds").open(settings(broker, "10 min"));
            hasty.append(entry(0, 0));
            patient.append(entry(0, 0));
            broker.kill();

            List<CompletableFuture<Void>> appends = new ArrayList<>();
            for (int slot = 1; slot < 50; slot++) {
                appends.add(hasty.start(entry(slot % 8, slot)));
            }
            assertThatThrownBy(() -> OpenLog.await(appends.get(0)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("append.timeout")
                    .hasMessageContaining("one that has ended is in doubt");
            assertThatThrownBy(() -> OpenLog.await(appends.get(48)))
                    .isInstanceOf(IOException.class);
            assertThatThrownBy(() -> hasty.append(entry(0, 99)))
                    .hasMessageContaining("takes no more entries");
            hasty.close();

            // a cancelled task does not wait for the append timeout
            CompletableFuture<Void> append = patient.start(entry(0, 1));
            patient.close();
            assertThat(append).isCompletedExceptionally();
            assertThatThrownBy(() -> OpenLog.await(append)).hasMessageContaining("closed before");

            broker.start();
            try (OpenLog next = ofJob("a0").attempt(1).open(settings(broker, "20 s"))) {
                assertThat(next.recovered).contains(entry(0, 0));
                next.append(entry(0, 1));
            }
        }
    }

    private static Map<String, String> settings(KafkaBroker broker, String appendTimeout) {
        return Map.of(
                "type",
                "kafka",
                "bootstrap.servers",
                broker.address(),
                "append.timeout",
                appendTimeout);
    }
}
