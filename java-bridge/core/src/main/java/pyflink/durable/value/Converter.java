package pyflink.durable.value;

import javax.annotation.Nullable;

/**
 * How the values of one type cross between the languages, in each direction. Python has the other
 * half of the way out, {@code pyflink_durable.runtime.values}: it brings what a handler returns
 * into the plain form that is read here, and says what does not fit. What is read here fits.
 */
abstract class Converter<T> {

    /** Writes the Python object for a value. */
    final void write(@Nullable T value, PickleWriter out) {
        if (value == null) {
            out.none();
        } else {
            writeValue(value, out);
        }
    }

    /** Makes a new value of a Python object's plain form, as {@link PickleReader} gives it. */
    @Nullable
    final T read(@Nullable Object plain) {
        return plain == null ? null : readValue(plain);
    }

    abstract void writeValue(T value, PickleWriter out);

    abstract T readValue(Object plain);

    /**
     * Writes what Python needs to know of the type: a tuple of the type's name and its parts. Types
     * without parts write their name alone.
     */
    abstract void describe(PickleWriter out);
}
