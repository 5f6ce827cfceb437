package pyflink.durable.state;

import java.io.Serializable;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import javax.annotation.Nullable;

/**
 * The versions of its handler that a job names: the current one, and those of which it still has
 * the code. Null is that of a job that names none, as of all jobs of release 0.1.
 */
public final class HandlerVersions implements Serializable {

    private static final long serialVersionUID = 1L;

    @Nullable private final String current;
    private final HashSet<String> named;

    /**
     * @param current by which new inputs are handled
     * @param previous by which those are handled that they have accepted
     */
    public HandlerVersions(@Nullable String current, Collection<String> previous) {
        this.current = current;
        this.named = new HashSet<>(previous);
        this.named.add(current);
    }

    /** Of a job that names none. */
    public static HandlerVersions none() {
        return new HandlerVersions(null, Set.of());
    }

    @Nullable
    public String current() {
        return current;
    }

    Set<String> named() {
        return named;
    }
}
