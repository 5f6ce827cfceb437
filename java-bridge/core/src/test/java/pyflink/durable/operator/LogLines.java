package pyflink.durable.operator;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Property;

/** The warnings of the operator while this is open. */
public final class LogLines extends AbstractAppender implements AutoCloseable {

    private final List<String> warnings = new CopyOnWriteArrayList<>();

    private LogLines() {
        super("lines of a test", null, null, true, Property.EMPTY_ARRAY);
    }

    public static LogLines open() {
        LogLines lines = new LogLines();
        lines.start();
        logger().addAppender(lines);
        return lines;
    }

    private static Logger logger() {
        return (Logger) LogManager.getLogger("pyflink.durable");
    }

    @Override
    public void append(LogEvent event) {
        if (event.getLevel() == Level.WARN) {
            warnings.add(event.getMessage().getFormattedMessage());
        }
    }

    public List<String> warnings() {
        return warnings;
    }

    @Override
    public void close() {
        logger().removeAppender(this);
        stop();
    }
}
