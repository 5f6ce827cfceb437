package pyflink.durable.reader;

import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import pyflink.durable.journal.Call;
import pyflink.durable.state.Input;

/** What a key has in flight, as it stands in the state. */
final class StoredKey {

    /** An input in flight; the first of a key is the one that runs. */
    static final class StoredInput {

        private final long sequence;
        @Nullable private final Long timestamp;
        @Nullable private final String handlerVersion;
        @Nullable private final byte[] pickle;

        StoredInput(Input<?> input, @Nullable byte[] pickle) {
            this.sequence = input.sequence();
            this.timestamp = input.timestamp();
            this.handlerVersion = input.handlerVersion();
            this.pickle = pickle;
        }

        long sequence() {
            return sequence;
        }

        @Nullable
        Long timestamp() {
            return timestamp;
        }

        @Nullable
        String handlerVersion() {
            return handlerVersion;
        }

        @Nullable
        byte[] pickle() {
            return pickle;
        }
    }

    private final int group;
    @Nullable private final byte[] pickle;
    private final List<StoredInput> inputs;
    private final boolean parked;
    private final Map<Integer, Call> journal;
    private final Map<String, byte[]> userState;

    StoredKey(
            int group,
            @Nullable byte[] pickle,
            List<StoredInput> inputs,
            boolean parked,
            Map<Integer, Call> journal,
            Map<String, byte[]> userState) {
        this.group = group;
        this.pickle = pickle;
        this.inputs = inputs;
        this.parked = parked;
        this.journal = journal;
        this.userState = userState;
    }

    int group() {
        return group;
    }

    @Nullable
    byte[] pickle() {
        return pickle;
    }

    List<StoredInput> inputs() {
        return inputs;
    }

    /** Whether the first of them is parked. */
    boolean parked() {
        return parked;
    }

    Map<Integer, Call> journal() {
        return journal;
    }

    Map<String, byte[]> userState() {
        return userState;
    }
}
