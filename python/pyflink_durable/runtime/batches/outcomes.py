"""What a batch tells of its calls."""

from __future__ import annotations

from pyflink_durable.batch import CallOutcome, CallStatus
from pyflink_durable.errors import CallNotStarted, CallTimedOut, OutcomeUnknown
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call import CallProgress, PlannedCall
from pyflink_durable.runtime.journal.planning import Plan


def outcome_of(
    planned: PlannedCall | None, outcome: FunctionOutcome, seconds: float
) -> CallOutcome:
    """How a call ended.

    Args:
        planned: The call; None if it failed before it had a slot.
        outcome: Its outcome; an error is an Exception.
        seconds: How long it took.
    """
    error = outcome.error
    assert error is None or isinstance(error, Exception)
    status = CallStatus.SUCCEEDED if error is None else CallStatus.FAILED
    if isinstance(error, CallTimedOut) or (
        isinstance(error, OutcomeUnknown) and error.reason == "timeout"
    ):
        status = CallStatus.TIMED_OUT
    replayed = planned is not None and planned.plan is Plan.REPLAY
    progress = (planned and planned.progress) or CallProgress()
    return CallOutcome(
        outcome.value,
        error,
        status,
        duration=0.0 if replayed else seconds,
        attempt=planned.attempt if replayed and planned is not None else progress.attempt,
        replayed=replayed,
        reconciled=progress.reconciled,
    )


def given_up(planned: PlannedCall, seconds: float) -> CallOutcome:
    """The outcome of a call that had not ended when the time of its batch was over.

    Told from what the journal holds of it, so that each run of the handler is told the same.
    """
    attempt = _last_start(planned)
    if attempt == 0:
        error = CallNotStarted("the timeout of the batch came before this call had started")
        return CallOutcome(None, error, CallStatus.NOT_STARTED, attempt=0)
    timed_out = TimeoutError(
        f"{planned.call.identity.shown} still ran when the time of its batch was over; it "
        "may or may not have happened"
    )
    return CallOutcome(None, timed_out, CallStatus.TIMED_OUT, duration=seconds, attempt=attempt)


def _last_start(planned: PlannedCall) -> int:
    if planned.progress is not None and planned.progress.attempt:
        return planned.progress.attempt
    if planned.plan is Plan.EXECUTE:
        return 0
    # what is scheduled is the start that comes next
    return planned.attempt - 1 if planned.plan is Plan.RESUME else planned.attempt
