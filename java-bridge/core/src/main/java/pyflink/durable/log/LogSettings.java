package pyflink.durable.log;

import java.time.Duration;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.util.TimeUtils;

/** The settings of a {@link CallLog}; an unknown one is an error, since it is a mistyped one. */
public final class LogSettings {

    private final String type;
    private final Map<String, String> unread;
    private final TreeSet<String> known = new TreeSet<>();

    /**
     * @param type the kind of log, to name it in errors
     */
    public LogSettings(String type, Map<String, String> settings) {
        this.type = type;
        this.unread = new TreeMap<>(settings);
    }

    /** A setting without which there is no log. */
    public String required(String name) {
        String value = text(name, "");
        if (value.isEmpty()) {
            throw new IllegalArgumentException(
                    String.format("The call log '%s' needs the setting '%s'", type, name));
        }
        return value;
    }

    public String text(String name, String ifAbsent) {
        known.add(name);
        String value = unread.remove(name);
        return value == null ? ifAbsent : value.trim();
    }

    /** A size such as {@code 64 mb}. */
    public int bytes(String name, String ifAbsent) {
        String value = text(name, ifAbsent);
        try {
            return Math.toIntExact(MemorySize.parse(value).getBytes());
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw wrong(name, value, "a size below 2 gb, such as '64 mb'", e);
        }
    }

    /** A whole number, or none. */
    public OptionalInt number(String name) {
        String value = text(name, "");
        try {
            return value.isEmpty() ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(value));
        } catch (NumberFormatException e) {
            throw wrong(name, value, "a whole number", e);
        }
    }

    /** A time such as {@code 30 s}. */
    public Duration duration(String name, String ifAbsent) {
        String value = text(name, ifAbsent);
        try {
            return TimeUtils.parseDuration(value);
        } catch (IllegalArgumentException e) {
            throw wrong(name, value, "a time, such as '30 s'", e);
        }
    }

    /** All settings that start with a prefix, without it. */
    public Map<String, String> startingWith(String prefix) {
        known.add(prefix + "*");
        Map<String, String> found = new TreeMap<>();
        unread.forEach(
                (name, value) -> {
                    if (name.startsWith(prefix)) {
                        found.put(name.substring(prefix.length()), value);
                    }
                });
        found.keySet().forEach(name -> unread.remove(prefix + name));
        return found;
    }

    /** To be called when all settings were read. */
    public void refuseUnknown() {
        if (!unread.isEmpty()) {
            throw new IllegalArgumentException(
                    String.format(
                            "The call log '%s' does not know the settings %s; it knows %s",
                            type, unread.keySet(), known));
        }
    }

    private IllegalArgumentException wrong(
            String name, String value, String expected, RuntimeException cause) {
        return new IllegalArgumentException(
                String.format(
                        "The setting '%s' of the call log '%s' is '%s': it must be %s",
                        name, type, value, expected),
                cause);
    }
}
