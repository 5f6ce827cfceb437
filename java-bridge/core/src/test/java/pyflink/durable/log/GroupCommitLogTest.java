package pyflink.durable.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static pyflink.durable.log.OpenLog.entry;
import static pyflink.durable.log.TestAttempt.ofJob;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Groups, failures and the close, on a storage that the test holds back. */
class GroupCommitLogTest {

    private final Disk disk = new Disk();

    private OpenLog open() throws IOException {
        GroupCommitLog log = new GroupCommitLog(ofJob("a0").context(), disk);
        log.recover(entry -> {});
        return new OpenLog(log, List.of());
    }

    @Test
    void whatGathersDuringAWriteIsWrittenTogether() throws Exception {
        try (OpenLog log = open()) {
            CompletableFuture<Void> first = log.start(entry(0, 0));
            disk.awaitWrite();
            CompletableFuture<Void> second = log.start(entry(0, 1));
            CompletableFuture<Void> third = log.start(entry(0, 2));
            assertThat(first).isNotDone();
            disk.permits.release(2);
            OpenLog.await(CompletableFuture.allOf(first, second, third));
            assertThat(disk.done).containsExactly("0: 1", "0: 2");
        }
    }

    @Test
    void aGroupIsOfOneEpochAndADeletionWaitsForTheAppendsBeforeIt() throws Exception {
        try (OpenLog log = open()) {
            log.start(entry(0, 0));
            disk.awaitWrite();
            log.start(entry(0, 1));
            log.log.onSnapshot(1);
            log.start(entry(0, 2));
            log.log.onCheckpointComplete(1);
            CompletableFuture<Void> last = log.start(entry(0, 3));
            disk.permits.release(4);
            OpenLog.await(last);
            assertThat(disk.done).containsExactly("0: 1", "0: 1", "1: 1", "delete 1", "1: 1");
        }
    }

    @Test
    void afterAFailedAppendAllLaterOnesFailAndNothingIsDeleted() throws Exception {
        try (OpenLog log = open()) {
            disk.failure = new IOException("No space left on device");
            disk.permits.release(10);
            CompletableFuture<Void> failed = log.start(entry(0, 0));
            assertThatThrownBy(() -> OpenLog.await(failed)).hasMessageContaining("No space left");
            disk.failure = null;
            log.log.onSnapshot(1);
            log.log.onCheckpointComplete(1);
            assertThatThrownBy(() -> log.append(entry(0, 1)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("takes no more entries")
                    .hasMessageContaining("No space left");
            assertThat(disk.done).isEmpty();
        }
    }

    @Test
    void aFailedDeletionDoesNotEndTheLog() throws Exception {
        try (OpenLog log = open()) {
            disk.permits.release(10);
            disk.deletionFailure = new IOException("gone");
            log.log.onCheckpointComplete(1);
            log.append(entry(0, 0));
            disk.deletionFailure = null;
            log.log.onCheckpointComplete(2);
            log.append(entry(0, 1));
            assertThat(disk.done).containsExactly("0: 1", "delete 2", "0: 1");
        }
    }

    @Test
    void anEntryThatNoLogCanTakeFailsAlone() throws Exception {
        try (OpenLog log = open()) {
            disk.permits.release(10);
            CompletableFuture<Void> before = log.start(entry(0, 0));
            CompletableFuture<Void> large = log.start(entry(0, 1, new byte[Disk.MAX_BYTES]));
            CompletableFuture<Void> after = log.start(entry(0, 2));
            OpenLog.await(before);
            OpenLog.await(after);
            assertThatThrownBy(() -> OpenLog.await(large))
                    .hasMessageContaining("slot 1 of invocation 7")
                    .hasMessageContaining("limit is " + Disk.MAX_BYTES);
        }
    }

    @Test
    void aCallbackThatThrowsDoesNotKeepOthersFromTheirNews() throws Exception {
        try (OpenLog log = open()) {
            disk.permits.release(10);
            log.log.append(
                    entry(0, 0),
                    failure -> {
                        throw new IllegalStateException("mailbox is closed");
                    });
            log.append(entry(0, 1));
        }
    }

    @Test
    void aCloseEndsAWriteThatHangs() throws Exception {
        OpenLog log = open();
        List<CompletableFuture<Void>> appends = new ArrayList<>();
        appends.add(log.start(entry(0, 0)));
        disk.awaitWrite();
        appends.add(log.start(entry(0, 1)));
        log.close();
        for (CompletableFuture<Void> append : appends) {
            assertThat(append).isDone();
            assertThatThrownBy(() -> OpenLog.await(append)).hasMessageContaining("closed before");
        }
        assertThat(disk.closed).isTrue();
    }

    @Test
    void aCloseOnAnInterruptedThreadClosesAndKeepsTheInterrupt() throws Exception {
        OpenLog log = open();
        CompletableFuture<Void> append = log.start(entry(0, 0));
        disk.awaitWrite();
        Thread.currentThread().interrupt();
        log.close();
        assertThat(Thread.interrupted()).isTrue();
        assertThat(append).isCompletedExceptionally();
        assertThat(disk.closed).isTrue();
    }

    /** Writes a group for each permit. */
    private static final class Disk implements LogStorage {
        static final int MAX_BYTES = 1_000;

        final Semaphore permits = new Semaphore(0);
        final List<String> done = Collections.synchronizedList(new ArrayList<>());
        private final CountDownLatch writing = new CountDownLatch(1);
        volatile IOException failure;
        volatile IOException deletionFailure;
        volatile boolean closed;

        void awaitWrite() throws InterruptedException {
            writing.await();
        }

        @Override
        public String id() {
            return "disk";
        }

        @Override
        public void recover(Consumer<LogEntry> receiver) {}

        @Override
        public void write(long epoch, List<? extends SerializedEntry> group) throws IOException {
            writing.countDown();
            try {
                permits.acquire();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            if (failure != null) {
                throw failure;
            }
            done.add(epoch + ": " + group.size());
        }

        @Override
        public void deleteCovered(long checkpointId) throws IOException {
            if (deletionFailure != null) {
                throw deletionFailure;
            }
            done.add("delete " + checkpointId);
        }

        @Override
        public int maxEntryBytes() {
            return MAX_BYTES;
        }

        @Override
        public void close() {
            closed = true;
        }
    }
}
