package pyflink.durable.reader;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.plugin.PluginManager;
import org.apache.flink.core.plugin.PluginUtils;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.state.CompletedCheckpointStorageLocation;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.changelog.StateChangelogStorageLoader;
import org.apache.flink.runtime.state.filesystem.AbstractFsCheckpointStorageAccess;
import org.apache.flink.util.FileUtils;

/**
 * Reads what is in flight in a checkpoint or savepoint, and prints it as {@link Lines}. A program
 * of its own, with Flink in its class path and no cluster.
 *
 * <p>Its arguments are the snapshot, and any of {@code payloads} and {@code state} (of all keys),
 * and the ids of the operators to read; without one it reads all that are durable.
 */
public final class ReadSnapshot {

    private static final int BUFFER = 1 << 16;

    private ReadSnapshot() {}

    public static void main(String[] args) throws IOException {
        Set<String> wanted = new HashSet<>(Arrays.asList(args).subList(1, args.length));
        boolean allState = wanted.remove("state");
        boolean payloads = wanted.remove("payloads");
        OutputStream out =
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER);
        Lines lines = new Lines(out, payloads);
        try {
            read(args[0], wanted, allState, lines);
            lines.done();
        } catch (Exception | LinkageError e) {
            lines.error(describe(e));
            Runtime.getRuntime().halt(1);
        }
        Runtime.getRuntime().halt(0); // Flink's threads are of no use any more
    }

    private static void read(String path, Set<String> ids, boolean allState, Lines lines)
            throws Exception {
        Configuration configuration = GlobalConfiguration.loadConfiguration();
        PluginManager plugins = PluginUtils.createPluginManagerFromRootFolder(configuration);
        FileSystem.initialize(configuration, plugins);
        StateChangelogStorageLoader.initialize(plugins);

        CheckpointMetadata metadata = load(path);
        List<DurableOperator> operators = DurableOperator.of(metadata.getOperatorStates());
        lines.snapshot(metadata.getCheckpointId(), operators);
        if (!ids.isEmpty()) {
            operators.removeIf(operator -> !ids.contains(operator.id()));
        }

        File folder = Files.createTempDirectory("pyflink-durable-reader").toFile();
        try (RestoreEnvironment environment = new RestoreEnvironment(configuration, folder)) {
            read(operators, configuration, environment, allState, lines);
        } finally {
            FileUtils.deleteDirectoryQuietly(folder);
        }
    }

    private static CheckpointMetadata load(String path) throws IOException {
        CompletedCheckpointStorageLocation location =
                AbstractFsCheckpointStorageAccess.resolveCheckpointPointer(path);
        try (DataInputStream in =
                new DataInputStream(location.getMetadataHandle().openInputStream())) {
            return Checkpoints.loadCheckpointMetadata(
                    in, ReadSnapshot.class.getClassLoader(), path);
        }
    }

    private static void read(
            List<DurableOperator> operators,
            Configuration configuration,
            RestoreEnvironment environment,
            boolean allState,
            Lines lines)
            throws Exception {
        List<OperatorReader> readers = new ArrayList<>();
        int all = 0;
        for (DurableOperator operator : operators) {
            OperatorReader reader =
                    new OperatorReader(operator, configuration, environment, allState, lines);
            readers.add(reader);
            all += reader.parts().size();
        }
        int done = 0;
        for (OperatorReader reader : readers) {
            for (KeyGroupRange groups : reader.parts()) {
                reader.read(groups);
                lines.progress(++done, all);
            }
        }
    }

    private static String describe(Throwable error) {
        List<String> parts = new ArrayList<>();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            String message = cause.getMessage();
            String part = message == null ? cause.getClass().getSimpleName() : message;
            // an exception that wraps another often says the same
            if (parts.stream().noneMatch(said -> said.contains(part))) {
                parts.add(part);
            }
        }
        return String.join(": ", parts);
    }
}
