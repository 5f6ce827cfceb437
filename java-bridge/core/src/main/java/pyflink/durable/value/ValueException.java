package pyflink.durable.value;

/** A value that cannot cross between the languages, and where in it the part is that cannot. */
public final class ValueException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final String reason;
    private final String path;

    ValueException(String reason) {
        this(reason, "");
    }

    private ValueException(String reason, String path) {
        super(path.isEmpty() ? reason : path + ": " + reason);
        this.reason = reason;
        this.path = path;
    }

    /** The same for the value that holds this one, in a field or at an index. */
    ValueException in(String place) {
        String dot = path.isEmpty() || path.startsWith("[") ? "" : ".";
        return new ValueException(reason, place + dot + path);
    }
}
