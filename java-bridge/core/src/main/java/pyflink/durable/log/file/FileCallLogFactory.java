package pyflink.durable.log.file;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.CallLogFactory;
import pyflink.durable.log.GroupCommitLog;
import pyflink.durable.log.LogSettings;

/**
 * The log {@code file}: segments in a directory that all TaskManagers reach, be it because there is
 * one machine or because the disk is shared.
 *
 * <p>Settings: {@code directory} (a path), {@code segment.size} (default {@code 64 mb}). Whether
 * entries are forced to the disk is no setting: a log that does not do it promises nothing.
 */
public final class FileCallLogFactory implements CallLogFactory {

    @Override
    public String identifier() {
        return "file";
    }

    @Override
    public CallLog create(Map<String, String> settings, CallLogContext context) throws IOException {
        LogSettings given = new LogSettings(identifier(), settings);
        Path directory = path(given.required("directory"));
        int segmentSize = given.bytes("segment.size", "64 mb");
        given.refuseUnknown();
        return new GroupCommitLog(context, FileStorage.open(directory, segmentSize, context));
    }

    private static Path path(String directory) {
        return directory.startsWith("file:") ? Path.of(URI.create(directory)) : Path.of(directory);
    }
}
