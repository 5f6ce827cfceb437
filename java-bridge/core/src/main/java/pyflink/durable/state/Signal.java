package pyflink.durable.state;

import java.util.Arrays;
import java.util.Objects;
import javax.annotation.Nullable;

/** A signal that waits in the state of its key until a handler takes it. */
public final class Signal {

    private final long number;
    private final String name;
    @Nullable private final String id;
    @Nullable private final String invocation;
    private final long expires;
    private final byte[] content;

    /**
     * @param number its place among all signals that its key has received
     * @param id the sender's, null if it gave none
     * @param invocation the only one that may take it, null for any of the key
     * @param expires when nobody is to take it any more, in milliseconds since the epoch
     * @param content the signal as the sender's stream holds it
     */
    public Signal(
            long number,
            String name,
            @Nullable String id,
            @Nullable String invocation,
            long expires,
            byte[] content) {
        this.number = number;
        this.name = name;
        this.id = id;
        this.invocation = invocation;
        this.expires = expires;
        this.content = content;
    }

    public long number() {
        return number;
    }

    public String name() {
        return name;
    }

    @Nullable
    public String id() {
        return id;
    }

    @Nullable
    public String invocation() {
        return invocation;
    }

    public long expires() {
        return expires;
    }

    public byte[] content() {
        return content;
    }

    /** Whether a wait of an invocation for signals of a name may take it. */
    public boolean isFor(String waitedFor, String waiting) {
        return name.equals(waitedFor) && (invocation == null || invocation.equals(waiting));
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Signal)) {
            return false;
        }
        Signal that = (Signal) other;
        return number == that.number
                && name.equals(that.name)
                && Objects.equals(id, that.id)
                && Objects.equals(invocation, that.invocation)
                && expires == that.expires
                && Arrays.equals(content, that.content);
    }

    @Override
    public int hashCode() {
        return Objects.hash(number, name, id, invocation, expires);
    }

    /** Without its value, which may be personal or secret. */
    @Override
    public String toString() {
        return "signal " + name + " number " + number;
    }
}
