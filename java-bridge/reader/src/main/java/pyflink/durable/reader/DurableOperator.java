package pyflink.durable.reader;

import java.io.IOException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.KeyedStateHandle;

/** An operator of a snapshot that has what a durable operator has. */
final class DurableOperator {

    static final String INPUTS = "durable-inputs";

    private final OperatorState state;
    private final List<KeyedStateHandle> handles;
    private final KeyedMetadata metadata;

    private DurableOperator(
            OperatorState state, List<KeyedStateHandle> handles, KeyedMetadata metadata) {
        this.state = state;
        this.handles = handles;
        this.metadata = metadata;
    }

    static List<DurableOperator> of(Collection<OperatorState> operators) throws IOException {
        List<DurableOperator> found = new ArrayList<>();
        for (OperatorState operator : operators) {
            List<KeyedStateHandle> handles = new ArrayList<>();
            for (OperatorSubtaskState subtask : operator.getStates()) {
                handles.addAll(subtask.getManagedKeyedState());
            }
            Optional<KeyedMetadata> metadata = KeyedMetadata.of(handles);
            if (metadata.isPresent() && metadata.get().has(INPUTS)) {
                found.add(new DurableOperator(operator, handles, metadata.get()));
            }
        }
        return found;
    }

    OperatorState state() {
        return state;
    }

    List<KeyedStateHandle> handles() {
        return handles;
    }

    KeyedMetadata metadata() {
        return metadata;
    }

    String id() {
        return state.getOperatorID().toHexString();
    }

    @Nullable
    String uid() {
        return told("getOperatorUid");
    }

    @Nullable
    String name() {
        return told("getOperatorName");
    }

    /** Flink before 2.1 does not keep it. */
    @Nullable
    private String told(String getter) {
        try {
            Method method = OperatorState.class.getMethod(getter);
            return (String) ((Optional<?>) method.invoke(state)).orElse(null);
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }
}
