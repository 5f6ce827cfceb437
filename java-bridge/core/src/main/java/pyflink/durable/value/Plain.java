package pyflink.durable.value;

import java.util.Arrays;
import java.util.List;

/** The plain form of Python's objects. */
final class Plain {

    /** A sequence is a list or a tuple, whichever the handler has given. */
    static List<?> items(Object plain) {
        return plain instanceof Object[] ? Arrays.asList((Object[]) plain) : (List<?>) plain;
    }

    private Plain() {}
}
