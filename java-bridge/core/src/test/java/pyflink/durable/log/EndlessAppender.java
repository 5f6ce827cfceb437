package pyflink.durable.log;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A process that appends until it is killed, and says what is durable. */
public final class EndlessAppender {

    private EndlessAppender() {}

    /** Starts it in a process of its own. */
    static Process start(Map<String, String> settings) throws IOException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                System.getProperty("java.home") + "/bin/java",
                                "-cp",
                                System.getProperty("java.class.path"),
                                EndlessAppender.class.getName()));
        settings.forEach((name, value) -> command.add(name + "=" + value));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    }

    public static void main(String[] settings) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (String each : settings) {
            given.put(each.substring(0, each.indexOf('=')), each.substring(each.indexOf('=') + 1));
        }
        OpenLog log = TestAttempt.ofJob("a0").open(given);
        for (int i = 0; ; i++) {
            int slot = i;
            log.log.append(
                    OpenLog.entry(0, slot),
                    failure -> System.out.println(failure == null ? "durable " + slot : failure));
            if (i % 10 == 0) {
                OpenLog.await(log.start(OpenLog.entry(1, 0))); // or the queue would grow for ever
            }
        }
    }
}
