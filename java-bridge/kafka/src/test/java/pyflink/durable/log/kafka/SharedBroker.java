package pyflink.durable.log.kafka;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.util.FileUtils;
import org.junit.jupiter.api.TestInfo;

/** The broker of all tests that do not end it; runs until the tests have. */
final class SharedBroker {

    private static KafkaBroker broker;

    private SharedBroker() {}

    /** Started, but maybe not there yet: a log waits for it. */
    static synchronized KafkaBroker get() {
        if (broker == null) {
            try {
                Path directory = Files.createTempDirectory("kafka");
                KafkaBroker made = new KafkaBroker(directory);
                made.start();
                Runtime.getRuntime().addShutdownHook(new Thread(() -> end(made, directory)));
                broker = made;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
        return broker;
    }

    private static void end(KafkaBroker ended, Path directory) {
        try {
            ended.close();
            FileUtils.deleteDirectory(directory.toFile());
        } catch (InterruptedException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What the topics of a test begin with. */
    static String topicPrefix(TestInfo test) {
        return (test.getTestClass().orElseThrow().getSimpleName() + "-" + test.getDisplayName())
                        .replaceAll("[^A-Za-z0-9]", "-")
                + "-";
    }

    static Map<String, String> settings(String topicPrefix) {
        Map<String, String> settings = new HashMap<>();
        settings.put("type", "kafka");
        settings.put("bootstrap.servers", get().address());
        settings.put("topic", topicPrefix + "{uid}");
        settings.put("append.timeout", "20 s");
        return settings;
    }
}
