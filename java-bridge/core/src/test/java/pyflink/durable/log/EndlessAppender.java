package pyflink.durable.log;

import java.util.HashMap;
import java.util.Map;

/** A process that appends until it is killed, and says what is durable. */
public final class EndlessAppender {

    private EndlessAppender() {}

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
