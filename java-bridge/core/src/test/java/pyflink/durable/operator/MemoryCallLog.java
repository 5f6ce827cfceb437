package pyflink.durable.operator;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.UUID;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import pyflink.durable.log.AppendCallback;
import pyflink.durable.log.CallLog;
import pyflink.durable.log.CallLogContext;
import pyflink.durable.log.CallLogFactory;
import pyflink.durable.log.LogEntry;

/**
 * A log of one subtask that outlives its attempts, and whose appends become durable when the test
 * says so.
 */
public final class MemoryCallLog {

    private static final class Record {
        private final long epoch;
        private final LogEntry entry;

        Record(long epoch, LogEntry entry) {
            this.epoch = epoch;
            this.entry = entry;
        }
    }

    private final String name = UUID.randomUUID().toString();
    private final List<Record> durable = new ArrayList<>();
    @Nullable private Attempt attempt;

    public MemoryCallLog() {
        MemoryCallLogFactory.LOGS.put(name, this);
    }

    /** With which an operator opens it. */
    public Map<String, String> settings() {
        return Map.of(CallLogFactory.TYPE, MemoryCallLogFactory.IDENTIFIER, "name", name);
    }

    public Attempt open(CallLogContext context) {
        attempt = new Attempt(context);
        return attempt;
    }

    /** The log as the last attempt that was started has it open. */
    public Attempt attempt() {
        return attempt;
    }

    /** What is durable, in the order of the appends. */
    public List<String> entries() {
        List<String> entries = new ArrayList<>();
        durable.forEach(
                record ->
                        entries.add(
                                record.entry.slot()
                                        + " "
                                        + record.entry
                                                .call()
                                                .map(
                                                        call ->
                                                                call.functionId()
                                                                        + " "
                                                                        + call.status())
                                                .orElse("dropped")));
        return entries;
    }

    /** Deletes everything, as a sibling does to whom a checkpoint's completion was told. */
    public void forgetAll() {
        durable.clear();
    }

    /** The log as one attempt has it open. */
    public final class Attempt implements CallLog {
        private final CallLogContext context;
        private final Queue<Runnable> appending = new ArrayDeque<>();
        private long epoch;
        @Nullable private IOException failure;

        private Attempt(CallLogContext context) {
            this.context = context;
            this.epoch = context.firstEpoch();
        }

        public CallLogContext context() {
            return context;
        }

        @Override
        public String id() {
            return name;
        }

        @Override
        public void recover(Consumer<LogEntry> receiver) {
            durable.stream()
                    .filter(record -> record.epoch >= context.firstEpoch())
                    .filter(record -> context.keyGroups().contains(record.entry.keyGroup()))
                    .forEach(record -> receiver.accept(record.entry));
        }

        @Override
        public void append(LogEntry entry, AppendCallback callback) {
            Record record = new Record(epoch, entry);
            appending.add(
                    () -> {
                        if (failure == null) {
                            durable.add(record);
                        }
                        callback.onAppended(failure);
                    });
        }

        /** Makes durable what was appended. */
        public void flush() {
            Runnable append;
            while ((append = appending.poll()) != null) {
                append.run();
            }
        }

        /** From here on no append succeeds. */
        public void failWith(String message) {
            failure = new IOException(message);
        }

        @Override
        public void onSnapshot(long checkpointId) {
            epoch = checkpointId;
        }

        @Override
        public void onCheckpointComplete(long checkpointId) {
            flush();
            durable.removeIf(record -> record.epoch < checkpointId);
        }

        @Override
        public void close() {}
    }
}
