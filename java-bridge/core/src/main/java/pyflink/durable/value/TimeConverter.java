package pyflink.durable.value;

import java.sql.Date;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.TimeZone;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Dates and times. Python keeps microseconds; it has no year before 1 and none after 9999. Of the
 * types of {@code java.sql}, which count milliseconds of another time zone's clock, the date and
 * the time are those that PyFlink's Python workers see.
 */
abstract class TimeConverter<T> extends Converter<T> {

    private static final long MILLIS_PER_DAY = TimeUnit.DAYS.toMillis(1);
    private static final long NANOS_PER_MILLI = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long NANOS_PER_MICRO = TimeUnit.MICROSECONDS.toNanos(1);
    private static final long MICROS_PER_SECOND = TimeUnit.SECONDS.toMicros(1);
    private static final int FIRST_YEAR = 1;
    private static final int LAST_YEAR = 9999;

    private final String name;
    private final int python;

    private TimeConverter(String name, int python) {
        this.name = name;
        this.python = python;
    }

    /**
     * @param name of the type
     * @param toLocal gives the date to write
     * @param fromLocal makes a value of a date
     */
    private static <T> Converter<T> dates(
            String name,
            Prologue prologue,
            Function<T, LocalDate> toLocal,
            Function<LocalDate, T> fromLocal) {
        return new TimeConverter<T>(name, prologue.global("datetime", "date")) {

            @Override
            void arguments(T value, PickleWriter out) {
                writeDate(toLocal.apply(value), out);
            }

            /** Days since 1970. */
            @Override
            T readValue(Object plain) {
                return fromLocal.apply(LocalDate.ofEpochDay((Long) plain));
            }
        };
    }

    private static <T> Converter<T> times(
            String name,
            Prologue prologue,
            Function<T, LocalTime> toLocal,
            Function<LocalTime, T> fromLocal) {
        return new TimeConverter<T>(name, prologue.global("datetime", "time")) {

            @Override
            void arguments(T value, PickleWriter out) {
                writeTime(toLocal.apply(value), out);
            }

            /** Microseconds of the day. */
            @Override
            T readValue(Object plain) {
                return fromLocal.apply(LocalTime.ofNanoOfDay((Long) plain * NANOS_PER_MICRO));
            }
        };
    }

    private static <T> Converter<T> dateTimes(
            String name,
            Prologue prologue,
            Function<T, LocalDateTime> toLocal,
            Function<LocalDateTime, T> fromLocal) {
        return new TimeConverter<T>(name, prologue.global("datetime", "datetime")) {

            @Override
            void arguments(T value, PickleWriter out) {
                LocalDateTime local = toLocal.apply(value);
                writeDate(local.toLocalDate(), out);
                writeTime(local.toLocalTime(), out);
            }

            /** Microseconds since 1970, of a clock that no time zone moves. */
            @Override
            T readValue(Object plain) {
                long micros = (Long) plain;
                return fromLocal.apply(
                        LocalDateTime.ofEpochSecond(
                                Math.floorDiv(micros, MICROS_PER_SECOND),
                                (int) (Math.floorMod(micros, MICROS_PER_SECOND) * NANOS_PER_MICRO),
                                ZoneOffset.UTC));
            }
        };
    }

    static Converter<LocalDate> localDate(Prologue prologue) {
        return dates("LOCAL_DATE", prologue, value -> value, value -> value);
    }

    static Converter<LocalTime> localTime(Prologue prologue) {
        return times("LOCAL_TIME", prologue, value -> value, value -> value);
    }

    static Converter<LocalDateTime> localDateTime(Prologue prologue) {
        return dateTimes("LOCAL_DATE_TIME", prologue, value -> value, value -> value);
    }

    static Converter<Date> sqlDate(Prologue prologue) {
        return dates(
                "SQL_DATE",
                prologue,
                value -> LocalDate.ofEpochDay(Math.floorDiv(local(value), MILLIS_PER_DAY)),
                value -> new Date(utc(value.toEpochDay() * MILLIS_PER_DAY)));
    }

    static Converter<Time> sqlTime(Prologue prologue) {
        return times(
                "SQL_TIME",
                prologue,
                value ->
                        LocalTime.ofNanoOfDay(
                                Math.floorMod(local(value), MILLIS_PER_DAY) * NANOS_PER_MILLI),
                value -> new Time(utc(value.toNanoOfDay() / NANOS_PER_MILLI)));
    }

    static Converter<Timestamp> sqlTimestamp(Prologue prologue) {
        return dateTimes("SQL_TIMESTAMP", prologue, Timestamp::toLocalDateTime, Timestamp::valueOf);
    }

    static Converter<Instant> instant(Prologue prologue) {
        return new TimeConverter<Instant>(
                "INSTANT", prologue.global("pyflink.common.time", "Instant")) {

            @Override
            void arguments(Instant value, PickleWriter out) {
                out.integer(value.getEpochSecond());
                out.integer(value.getNano());
            }

            /** Seconds since 1970, and nanoseconds. */
            @Override
            Instant readValue(Object plain) {
                Object[] parts = (Object[]) plain;
                return Instant.ofEpochSecond((Long) parts[0], (Long) parts[1]);
            }
        };
    }

    private static long local(java.util.Date value) {
        return value.getTime() + TimeZone.getDefault().getOffset(value.getTime());
    }

    private static long utc(long localMillis) {
        return localMillis - TimeZone.getDefault().getOffset(localMillis);
    }

    private static void writeDate(LocalDate date, PickleWriter out) {
        if (date.getYear() < FIRST_YEAR || date.getYear() > LAST_YEAR) {
            throw new ValueException("Python has no date in the year " + date.getYear());
        }
        out.integer(date.getYear());
        out.integer(date.getMonthValue());
        out.integer(date.getDayOfMonth());
    }

    private static void writeTime(LocalTime time, PickleWriter out) {
        out.integer(time.getHour());
        out.integer(time.getMinute());
        out.integer(time.getSecond());
        out.integer(time.getNano() / NANOS_PER_MICRO);
    }

    /** Writes the arguments that Python's class makes its object of. */
    abstract void arguments(T value, PickleWriter out);

    @Override
    final void writeValue(T value, PickleWriter out) {
        out.get(python);
        out.op(Opcode.MARK);
        arguments(value, out);
        out.op(Opcode.TUPLE);
        out.op(Opcode.REDUCE);
    }

    @Override
    final void describe(PickleWriter out) {
        out.text(name);
    }
}
