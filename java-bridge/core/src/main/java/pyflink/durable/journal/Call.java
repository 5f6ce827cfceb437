package pyflink.durable.journal;

import java.util.Arrays;
import java.util.Objects;
import javax.annotation.Nullable;

/**
 * One call in a slot of a {@link Journal}: its identity, status and payload. Immutable, so that a
 * snapshot may keep a reference while the journal goes on.
 */
public final class Call {

    /** The {@link #completion} of a call that has not completed. */
    public static final int NOT_COMPLETED = -1;

    /** The {@link #due} of a call that is not scheduled. */
    public static final long NOT_SCHEDULED = -1;

    /** A time that nobody told: of a call of release 0.1, or over a bridge that knows none. */
    public static final long NO_TIME = -1;

    static final int FIRST_ATTEMPT = 1;

    private final String functionId;
    private final String argsDigest;
    private final CallStatus status;
    @Nullable private final byte[] result;
    @Nullable private final byte[] exception;
    private final int completion;
    private final int attempt;
    private final long due;
    private final long endedAt;
    private final long invocationBegan;
    private final boolean repeatable;

    Call(
            String functionId,
            String argsDigest,
            CallStatus status,
            @Nullable byte[] result,
            @Nullable byte[] exception,
            int completion,
            int attempt,
            long due,
            long endedAt,
            long invocationBegan,
            boolean repeatable) {
        this.functionId = Objects.requireNonNull(functionId, "functionId");
        this.argsDigest = Objects.requireNonNull(argsDigest, "argsDigest");
        this.status = Objects.requireNonNull(status, "status");
        this.result = result;
        this.exception = exception;
        this.completion = completion;
        this.attempt = attempt;
        this.due = due;
        this.endedAt = endedAt;
        this.invocationBegan = invocationBegan;
        this.repeatable = repeatable;
    }

    static Call pending(String functionId, String argsDigest, int attempt) {
        return scheduled(functionId, argsDigest, attempt, NOT_SCHEDULED);
    }

    static Call scheduled(String functionId, String argsDigest, int attempt, long due) {
        return new Call(
                functionId,
                argsDigest,
                CallStatus.PENDING,
                null,
                null,
                NOT_COMPLETED,
                attempt,
                due,
                NO_TIME,
                NO_TIME,
                false);
    }

    static Call completed(
            String functionId,
            String argsDigest,
            @Nullable byte[] result,
            @Nullable byte[] exception,
            int completion,
            int attempt,
            long endedAt) {
        CallStatus status = exception == null ? CallStatus.SUCCEEDED : CallStatus.FAILED;
        return new Call(
                functionId,
                argsDigest,
                status,
                result,
                exception,
                completion,
                attempt,
                NOT_SCHEDULED,
                endedAt,
                NO_TIME,
                false);
    }

    /** The same call, as that of the first slot of an invocation. */
    Call ofInvocationThatBegan(long micros) {
        return micros == invocationBegan ? this : with(micros, repeatable);
    }

    /** The same call, as one that may, or may not, simply run again. */
    Call repeatable(boolean mayRunAgain) {
        return mayRunAgain == repeatable ? this : with(invocationBegan, mayRunAgain);
    }

    private Call with(long began, boolean mayRunAgain) {
        return new Call(
                functionId,
                argsDigest,
                status,
                result,
                exception,
                completion,
                attempt,
                due,
                endedAt,
                began,
                mayRunAgain);
    }

    boolean hasIdentity(String otherFunctionId, String otherArgsDigest) {
        return functionId.equals(otherFunctionId) && argsDigest.equals(otherArgsDigest);
    }

    public String functionId() {
        return functionId;
    }

    public String argsDigest() {
        return argsDigest;
    }

    public CallStatus status() {
        return status;
    }

    @Nullable
    public byte[] result() {
        return result;
    }

    @Nullable
    public byte[] exception() {
        return exception;
    }

    /**
     * The place of this call in the order in which the calls of its journal completed, from 0;
     * {@link #NOT_COMPLETED} while it is pending. A replay resolves concurrent calls in this order,
     * so that a handler that races two calls takes the branch it took before the failure.
     */
    public int completion() {
        return completion;
    }

    /** The number of the start that the status is of, from 1; a retry policy starts again. */
    public int attempt() {
        return attempt;
    }

    /**
     * When a scheduled call is to run, in milliseconds since the epoch; {@link #NOT_SCHEDULED} for
     * all others. A pending call that is scheduled has not started: it is not in doubt.
     */
    public long due() {
        return due;
    }

    /**
     * When the outcome came, in microseconds since the epoch; {@link #NO_TIME} if that is not
     * known. The handler's clock moves to it, in each run.
     */
    public long endedAt() {
        return endedAt;
    }

    /**
     * When the invocation began, in microseconds since the epoch: where the handler's clock starts
     * in each run. It stands in the first slot; {@link #NO_TIME} in all others.
     */
    public long invocationBegan() {
        return invocationBegan;
    }

    /**
     * Whether the call may simply run again: nobody was to be asked about it, and the handler did
     * not say that it is to be made once. What is not known to be repeatable must not get lost: a
     * call of release 0.1, or one over the cursor, says nothing of it.
     */
    public boolean repeatable() {
        return repeatable;
    }

    /**
     * The call as Python reads it.
     *
     * @return {@code [function_id, args_digest, status, result, exception, completion, attempt,
     *     due, ended_at, invocation_began, repeatable]}, where due is null for a call that is not
     *     scheduled, and the other times where they are not known
     */
    public Object[] fields() {
        return new Object[] {
            functionId,
            argsDigest,
            status.name(),
            result,
            exception,
            completion,
            attempt,
            due == NOT_SCHEDULED ? null : due,
            endedAt == NO_TIME ? null : endedAt,
            invocationBegan == NO_TIME ? null : invocationBegan,
            repeatable ? 1 : 0
        };
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Call)) {
            return false;
        }
        Call that = (Call) other;
        return functionId.equals(that.functionId)
                && argsDigest.equals(that.argsDigest)
                && status == that.status
                && completion == that.completion
                && attempt == that.attempt
                && due == that.due
                && endedAt == that.endedAt
                && invocationBegan == that.invocationBegan
                && repeatable == that.repeatable
                && Arrays.equals(result, that.result)
                && Arrays.equals(exception, that.exception);
    }

    @Override
    public int hashCode() {
        return Objects.hash(functionId, argsDigest, status, completion, attempt, due, endedAt);
    }

    /** Identity and status only: payloads may be personal or secret. */
    @Override
    public String toString() {
        return functionId + "(" + argsDigest + ") " + status;
    }
}
