package pyflink.durable.journal;

import java.util.Arrays;
import java.util.Objects;
import javax.annotation.Nullable;

/**
 * What a slot of a {@link Journal} holds: a call, mostly, with its identity, status and payload; or
 * something else that a handler waits for or sees, see {@link SlotKind}, which is pending while it
 * is open and succeeds when it is filled. Immutable, so that a snapshot may keep a reference while
 * the journal goes on.
 */
public final class Call {

    /** The {@link #completion} of a call that has not completed. */
    public static final int NOT_COMPLETED = -1;

    /** The {@link #due} of a call that is not scheduled. */
    public static final long NOT_SCHEDULED = -1;

    /** A time that nobody told: of a call of release 0.1, or over a bridge that knows none. */
    public static final long NO_TIME = -1;

    static final int FIRST_ATTEMPT = 1;

    private final SlotKind kind;
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
            SlotKind kind,
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
        this.kind = Objects.requireNonNull(kind, "kind");
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
        return waiting(SlotKind.CALL, functionId, argsDigest, attempt, due);
    }

    /** What is open until it is filled, at a time at the latest; no call. */
    static Call opened(SlotKind kind, String name, long due) {
        return waiting(kind, name, "", FIRST_ATTEMPT, due);
    }

    private static Call waiting(
            SlotKind kind, String functionId, String argsDigest, int attempt, long due) {
        return new Call(
                kind,
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
        return pending(functionId, argsDigest, attempt)
                .ended(result, exception, completion, endedAt);
    }

    /** The same call, with its outcome. */
    Call ended(
            @Nullable byte[] itsResult,
            @Nullable byte[] itsException,
            int place,
            long endedMicros) {
        return new Call(
                kind,
                functionId,
                argsDigest,
                itsException == null ? CallStatus.SUCCEEDED : CallStatus.FAILED,
                itsResult,
                itsException,
                place,
                attempt,
                NOT_SCHEDULED,
                endedMicros,
                invocationBegan,
                repeatable);
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
                kind,
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

    public SlotKind kind() {
        return kind;
    }

    /** That of a call, or its durable_id; the name of the signals of a wait; else empty. */
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
     *     due, ended_at, invocation_began, repeatable, kind]}, where due is null for a call that is
     *     not scheduled, and the other times where they are not known
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
            repeatable ? 1 : 0,
            kind.name()
        };
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Call)) {
            return false;
        }
        Call that = (Call) other;
        return kind == that.kind
                && functionId.equals(that.functionId)
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
        String what = functionId + "(" + argsDigest + ")";
        return (kind == SlotKind.CALL ? what : (kind + " " + functionId).trim()) + " " + status;
    }
}
