package pyflink.durable.log;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import pyflink.durable.journal.Call;
import pyflink.durable.journal.Journal;

/** A log in a test: what it gave back, and appends that can be waited for. */
public final class OpenLog implements AutoCloseable {

    static final long DEADLINE_SECONDS = 30;

    public final CallLog log;
    public final List<LogEntry> recovered;

    OpenLog(CallLog log, List<LogEntry> recovered) {
        this.log = log;
        this.recovered = recovered;
    }

    /** Appends an entry that the test does not wait for. */
    public CompletableFuture<Void> start(LogEntry entry) {
        CompletableFuture<Void> durable = new CompletableFuture<>();
        log.append(
                entry,
                failure -> {
                    if (failure == null) {
                        durable.complete(null);
                    } else {
                        durable.completeExceptionally(failure);
                    }
                });
        return durable;
    }

    /** Appends entries and returns when they are durable. */
    public void append(LogEntry... entries) throws Exception {
        CompletableFuture<?>[] started = new CompletableFuture<?>[entries.length];
        for (int i = 0; i < entries.length; i++) {
            started[i] = start(entries[i]);
        }
        await(CompletableFuture.allOf(started));
    }

    /** Waits for an append; throws what it failed with. */
    public static void await(CompletableFuture<?> append) throws Exception {
        try {
            append.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException ? (IOException) e.getCause() : e;
        }
    }

    @Override
    public void close() {
        log.close();
    }

    public static LogEntry entry(int keyGroup, int slot) {
        return entry(keyGroup, slot, "result " + slot);
    }

    public static LogEntry entry(int keyGroup, int slot, String result) {
        return entry(keyGroup, slot, result.getBytes());
    }

    public static LogEntry entry(int keyGroup, int slot, byte[] result) {
        Journal journal = new Journal();
        journal.begin(1_800_000_000_000_000L);
        journal.recordCallCompletionAt(
                0, "charge", "0123456789abcdef", result, null, 1_800_000_000_000_001L, false);
        return withCall(keyGroup, slot, journal.calls().get(0));
    }

    public static LogEntry pending(int keyGroup, int slot) {
        Journal journal = new Journal();
        journal.appendPendingCallAt(0, "charge", "0123456789abcdef", false);
        return withCall(keyGroup, slot, journal.calls().get(0));
    }

    public static LogEntry dropped(int keyGroup, int fromSlot) {
        return withCall(keyGroup, fromSlot, null);
    }

    private static LogEntry withCall(int keyGroup, int slot, Call call) {
        byte[] key = ("key " + keyGroup).getBytes();
        return new LogEntry(keyGroup, key, "7", 7, "fedcba9876543210", slot, call);
    }
}
