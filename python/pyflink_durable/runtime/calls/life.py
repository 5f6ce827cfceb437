"""The life of a durable call, whoever drives it.

It is written once, as a generator without threads or loops. It yields what it needs next
and is sent what came of it. Drivers run it: `AsyncCall` on an event loop, `run_blocking` on the
thread of a ``def`` handler; `run_holding_the_loop` is for calls that wait for nothing.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError
from collections.abc import Generator
from contextlib import suppress
from typing import Any

from pyflink_durable.context import NOT_EXECUTED
from pyflink_durable.errors import (
    CallLogError,
    CallTimedOut,
    OutcomeUnknown,
    ThreadNotStarted,
)
from pyflink_durable.payload.copies import copy_of_call
from pyflink_durable.runtime.calls.steps import SleepUntil, Step, WaitForTurn
from pyflink_durable.runtime.calls.storing import look_at_store, store
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.outcome import FunctionOutcome, TimedOut
from pyflink_durable.runtime.journal.call import PlannedCall
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.holds import Hold
from pyflink_durable.runtime.journal.passed import Passed
from pyflink_durable.runtime.journal.planning import Plan
from pyflink_durable.runtime.journal.times import AT_ONCE, due_in

Life = Generator[Step, Any, FunctionOutcome]

AFTER_REPLAY = sys.maxsize
"""The turn of a call that a failure interrupted: behind all that had ended by then."""


def live(journal: CallJournal, planned: PlannedCall, announced: bool = True) -> Life:
    """Does for a call what its plan says, to the end.

    Args:
        journal: The journal of its invocation.
        planned: The call, with its slot.
        announced: Whether a call that is to run is journaled as pending. It need not be where no
            checkpoint can come between its start and its end; it is then recorded when it ends.

    Yields:
        The steps to be taken by the driver.

    Returns:
        The outcome of the call, for the handler.

    Raises:
        DurableExecutionError: The runtime could not do its part: the invocation has ended, the log
            did not take what was written, or the journal cannot be read back.
    """
    if planned.plan is Plan.REPLAY:
        yield WaitForTurn(planned.completion)
        journal.clock.move(planned.ended_at)
        return journal.replay(planned)
    attempt = planned.attempt
    hold: Hold | None = None
    outcome: FunctionOutcome | None = None
    if planned.plan is not Plan.EXECUTE:
        # what is replayed may have the handler give this call up again: then it does not run
        yield WaitForTurn(AFTER_REPLAY)
        journal.replaying = False
    if planned.plan is Plan.EXECUTE:
        if announced:
            hold = journal.announce(planned)
    elif planned.plan is Plan.RESUME:
        announced = True
        due = planned.due
        if due > AT_ONCE:
            yield SleepUntil(due)
        else:
            journal.telemetry.count("executed")  # the place was reserved, the call not made
        hold = journal.start_attempt(planned, attempt, planned.call.options.start_hold)
    else:
        announced = True
        outcome = yield from _after_failure(journal, planned)
        if outcome is None:
            attempt += 1
            # no hold: the checkpoint that was restored holds it in doubt
            journal.start_attempt(planned, attempt, None)
    if outcome is None:
        outcome = yield from _attempt(journal, planned, attempt, hold)
        if outcome.error is not None:
            outcome = yield from _after_error(journal, planned, attempt, outcome)
    error = outcome.error
    if error is not None and not is_failure(error):
        if not isinstance(error, CancelledError):
            journal.break_off(error)
        return outcome  # cancellation, interrupt, shutdown: nothing is known of the call
    passed: Passed | None = None
    if journal.store is not None:
        passed = journal.pass_outcome(planned, outcome)
        yield from store(journal, planned, passed, journal.store)
    outcome, hold = journal.finish(planned, outcome, announced, passed)
    journal.observer.call_ended(journal.identity, planned, outcome.error)
    if hold is not None:
        _check(journal, planned, (yield hold))
    journal.clock.move(planned.ended_at)
    return outcome


class GivenUp(Exception):
    """Thrown into a life: the handler does not want the call any more."""


def give_up(life: Life) -> None:
    """Ends a life whose call the handler does not want any more.

    If the call has not started, it never does, and its slot says so. Otherwise the slot stays as it
    is: in doubt.
    """
    with suppress(GivenUp):
        life.throw(GivenUp())


def is_failure(error: BaseException) -> bool:
    """Whether an error is an outcome of a call; of others nothing is journaled."""
    return isinstance(error, Exception) and not isinstance(error, ThreadNotStarted)


def _attempt(
    journal: CallJournal, planned: PlannedCall, attempt: int, hold: Hold | None
) -> Generator[Step, Any, FunctionOutcome]:
    """Makes an attempt that is journaled as started, once it may start."""
    call = planned.call
    options = call.options
    execution: Execution | None = None
    try:
        if hold is not None:
            kind = options.start_hold
            assert kind is not None
            journal.observer.call_held(journal.identity, planned, kind)
            _check(journal, planned, (yield hold))
        if journal.store is not None and not journal.store.is_trusted:
            down = yield from look_at_store(journal, planned, attempt, journal.store)
            if down is not None:
                return down
        func, args, kwargs = call.func, call.args, call.kwargs
        if options.retry is not None:  # another attempt is not to see what this one changes
            func, args, kwargs = copy_of_call(func, args, kwargs)
        current = journal.current(planned, attempt)
        execution = Execution(func, args, kwargs, current, options.timeout, journal)
        execution.gated = options.start_hold == "CHECKPOINT"
        execution.enter = journal.observer.attempt_started(journal.identity, planned, attempt)
        outcome: FunctionOutcome = yield execution
    except GivenUp:
        if execution is None or execution.revoke():
            journal.not_started(planned, attempt)
        if execution is not None:
            cancelled = CancelledError()
            journal.observer.attempt_ended(journal.identity, planned, attempt, cancelled)
        raise
    journal.observer.attempt_ended(journal.identity, planned, attempt, outcome.error)
    if isinstance(outcome.error, ThreadNotStarted):
        journal.not_started(planned, attempt)
    return outcome


def _after_error(
    journal: CallJournal, planned: PlannedCall, attempt: int, outcome: FunctionOutcome
) -> Generator[Step, Any, FunctionOutcome]:
    """Makes further attempts of a call that failed, until the outcome of one stands."""
    options = planned.call.options
    while True:
        stands = outcome.error is None
        if isinstance(outcome.error, TimedOut):
            outcome, stands = yield from _after_timeout(journal, planned, attempt)
        error = outcome.error
        if stands or options.retry is None or error is None or not is_failure(error):
            return outcome
        assert isinstance(error, Exception)
        if not _tries_again(journal, planned, error, attempt):
            return outcome
        due = due_in(options.retry.interval(attempt))
        attempt += 1
        journal.observer.call_retried(journal.identity, planned, attempt, due)
        journal.schedule(planned, attempt, due)
        yield SleepUntil(due)
        hold = journal.start_attempt(planned, attempt, options.start_hold)
        outcome = yield from _attempt(journal, planned, attempt, hold)


def _after_failure(
    journal: CallJournal, planned: PlannedCall
) -> Generator[Step, Any, FunctionOutcome | None]:
    """Finds out about a call that a failure of the job left in doubt; None if it is to run."""
    if planned.plan is Plan.REFUSE:
        return FunctionOutcome(None, _unknown(journal, planned, planned.attempt, "failure"))
    if planned.plan is Plan.RECONCILE:
        outcome = yield from _reconcile(journal, planned, planned.attempt)
        if outcome is not None:
            return outcome
    journal.observer.call_reexecuted(journal.identity, planned, planned.attempt)
    return None


def _after_timeout(
    journal: CallJournal, planned: PlannedCall, attempt: int
) -> Generator[Step, Any, tuple[FunctionOutcome, bool]]:
    """Finds out about an attempt that ran into its timeout; tells whether the outcome stands.

    It does not where the call has not happened, or may be repeated: then the retry policy decides.
    """
    call, options = planned.call, planned.call.options
    assert options.timeout is not None
    timed_out = CallTimedOut(call.identity.function_id, options.timeout)
    journal.observer.attempt_timed_out(journal.identity, planned, attempt)
    if call.reconciler is not None:
        outcome = yield from _reconcile(journal, planned, attempt)
        return (FunctionOutcome(None, timed_out), False) if outcome is None else (outcome, True)
    if options.in_doubt == "execute" and _tries_again(journal, planned, timed_out, attempt):
        return FunctionOutcome(None, timed_out), False
    return FunctionOutcome(None, _unknown(journal, planned, attempt, "timeout")), True


def _tries_again(
    journal: CallJournal, planned: PlannedCall, error: Exception, attempt: int
) -> bool:
    """Whether the retry policy has another attempt for an error."""
    retry = planned.call.options.retry
    try:
        return retry is not None and retry.allows(error, attempt)
    except Exception as broken:  # of the user's own function: what is known of the call stands
        journal.telemetry.warning(
            f"{journal.identity.describe()} slot={planned.slot} attempt={attempt} retry_on raised "
            f"{broken!r} for {error!r}: the call is not tried again"
        )
        return False


def _reconcile(
    journal: CallJournal, planned: PlannedCall, attempt: int
) -> Generator[Step, Any, FunctionOutcome | None]:
    """Asks the reconciler; None if the call has not happened."""
    reconciler = planned.call.reconciler
    assert reconciler is not None
    current = journal.current(planned, attempt)
    execution = Execution(reconciler, current=current, owner=journal)
    execution.asks = True
    try:
        outcome: FunctionOutcome = yield execution
    except GivenUp:
        execution.revoke()
        raise
    if outcome.value is NOT_EXECUTED:
        return None
    if outcome.error is None or is_failure(outcome.error):
        journal.observer.call_reconciled(journal.identity, planned, attempt, outcome.error)
        if planned.progress is not None:
            planned.progress.reconciled = True
    return outcome


def _unknown(
    journal: CallJournal, planned: PlannedCall, attempt: int, reason: str
) -> OutcomeUnknown:
    journal.observer.call_unknown(journal.identity, planned, attempt, reason)
    call = planned.call
    key = journal.identity.idempotency_key(planned.slot, call.durable_id, planned.occurrence)
    return OutcomeUnknown(*call.identity.told, key, attempt, reason)


def _check(journal: CallJournal, planned: PlannedCall, error: str | None) -> None:
    """Looks how a wait at the gate, or for the log, has ended.

    Raises:
        CallLogError: The log did not take what was written.
    """
    if error is not None:
        failure = CallLogError(
            f"slot {planned.slot}, {planned.call.identity.shown}: what was written of the "
            f"call is not safe: {error}"
        )
        journal.break_off(failure)
        raise failure
