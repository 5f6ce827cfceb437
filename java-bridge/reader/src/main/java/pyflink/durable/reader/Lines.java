package pyflink.durable.reader;

import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonGenerator;
import pyflink.durable.journal.Call;
import pyflink.durable.log.LogEntry;

/**
 * The answer, one line of JSON for each thing that was found. Python's half is {@code
 * pyflink_durable.snapshot.lines}, which names the fields.
 *
 * <p>Payloads are left out unless they are asked for: only their sizes are told.
 */
final class Lines {

    private final JsonGenerator json;
    private final boolean payloads;

    Lines(OutputStream out, boolean payloads) throws IOException {
        this.json = new JsonFactory().createGenerator(out);
        this.json.setRootValueSeparator(null);
        this.payloads = payloads;
    }

    void snapshot(long checkpoint, List<DurableOperator> operators) throws IOException {
        begin("snapshot");
        json.writeNumberField("checkpoint", checkpoint);
        json.writeArrayFieldStart("operators");
        for (DurableOperator operator : operators) {
            json.writeStartArray();
            json.writeString(operator.id());
            json.writeString(operator.uid());
            json.writeString(operator.name());
            json.writeNumber(operator.state().getParallelism());
            json.writeNumber(operator.state().getMaxParallelism());
            json.writeNumber(operator.state().getStateSize());
            json.writeEndArray();
        }
        json.writeEndArray();
        end();
    }

    void progress(int done, int all) throws IOException {
        begin("progress");
        json.writeNumberField("done", done);
        json.writeNumberField("all", all);
        end();
        json.flush();
    }

    /** What a key has in flight. */
    void key(String operator, StoredKey key) throws IOException {
        begin("key");
        json.writeStringField("operator", operator);
        json.writeNumberField("group", key.group());
        bytes("key", key.pickle());
        json.writeArrayFieldStart("inputs");
        for (StoredKey.StoredInput input : key.inputs()) {
            json.writeStartArray();
            json.writeNumber(input.sequence());
            number(input.timestamp());
            json.writeString(input.handlerVersion());
            payload(input.pickle());
            json.writeEndArray();
        }
        json.writeEndArray();
        json.writeBooleanField("parked", key.parked());
        json.writeArrayFieldStart("slots");
        for (Map.Entry<Integer, Call> slot : key.journal().entrySet()) {
            json.writeStartArray();
            slot(slot.getKey(), slot.getValue());
            json.writeEndArray();
        }
        json.writeEndArray();
        state(key.userState());
        end();
    }

    /** What a key keeps for its next invocations. */
    void state(String operator, int group, @Nullable byte[] key, Map<String, byte[]> values)
            throws IOException {
        begin("state");
        json.writeStringField("operator", operator);
        json.writeNumberField("group", group);
        bytes("key", key);
        state(values);
        end();
    }

    private void state(Map<String, byte[]> values) throws IOException {
        json.writeObjectFieldStart("state");
        for (Map.Entry<String, byte[]> value : values.entrySet()) {
            json.writeArrayFieldStart(value.getKey());
            payload(value.getValue());
            json.writeEndArray();
        }
        json.writeEndObject();
    }

    /** An entry of the call log whose input has not come back. */
    void unclaimed(String operator, @Nullable byte[] key, LogEntry entry) throws IOException {
        begin("unclaimed");
        json.writeStringField("operator", operator);
        json.writeNumberField("group", entry.keyGroup());
        bytes("key", key);
        json.writeStringField("invocation", entry.invocationId());
        json.writeNumberField("sequence", entry.sequence());
        json.writeArrayFieldStart("slot");
        if (entry.call().isPresent()) {
            slot(entry.slot(), entry.call().get());
        } else {
            json.writeNumber(entry.slot());
        }
        json.writeEndArray();
        end();
    }

    void done() throws IOException {
        begin("end");
        end();
        json.flush();
    }

    void error(String message) throws IOException {
        begin("error");
        json.writeStringField("message", message);
        end();
        json.flush();
    }

    private void slot(int slot, Call call) throws IOException {
        json.writeNumber(slot);
        json.writeString(call.functionId());
        json.writeString(call.argsDigest());
        json.writeString(call.status().name());
        json.writeNumber(call.attempt());
        json.writeNumber(call.completion());
        json.writeNumber(call.due());
        json.writeNumber(call.endedAt());
        json.writeNumber(call.invocationBegan());
        json.writeBoolean(call.repeatable());
        payload(call.result());
        payload(call.exception());
        json.writeString(call.kind().name());
    }

    private void begin(String kind) throws IOException {
        json.writeStartObject();
        json.writeStringField("line", kind);
    }

    private void end() throws IOException {
        json.writeEndObject();
        json.writeRaw('\n');
    }

    /** A payload's size, and itself. */
    private void payload(@Nullable byte[] payload) throws IOException {
        json.writeNumber(payload == null ? -1 : payload.length);
        if (payload == null || !payloads) {
            json.writeNull();
        } else {
            json.writeBinary(payload);
        }
    }

    private void bytes(String name, @Nullable byte[] bytes) throws IOException {
        if (bytes == null) {
            json.writeNullField(name);
        } else {
            json.writeBinaryField(name, bytes);
        }
    }

    private void number(@Nullable Long number) throws IOException {
        if (number == null) {
            json.writeNull();
        } else {
            json.writeNumber(number);
        }
    }
}
