"""Puts a large outcome into the store before the slot that names it is written.

And looks whether there is a store, before there is an outcome.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyflink_durable.errors import PayloadNotWritable, PayloadStoreDown, ThreadNotStarted
from pyflink_durable.payload.store_watch import StoreWatch
from pyflink_durable.runtime.calls.steps import SleepUntil
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call import PlannedCall
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.passed import Passed
from pyflink_durable.runtime.journal.times import due_in

PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds between attempts to write; the last one again and again."""


def look_at_store(
    journal: CallJournal, planned: PlannedCall, attempt: int, watch: StoreWatch
) -> Generator[Execution, Any, FunctionOutcome | None]:
    """Looks whether the store is there, on the call's threads; the call has not been made.

    Returns:
        What becomes of the attempt in place of the outcome that it would have had; None if it can
        be made.
    """
    outcome: FunctionOutcome = yield Execution(watch.check, owner=journal)
    error = outcome.error
    if error is None:
        return None
    if isinstance(error, PayloadStoreDown):
        journal.telemetry.count("offloadErrors")
        name = planned.call.identity.shown
        down = PayloadStoreDown(f"{name} was not made: {error}")
        down.__cause__ = error.__cause__
        return FunctionOutcome(None, down)
    if isinstance(error, ThreadNotStarted):
        journal.not_started(planned, attempt)
    return outcome


def store(
    journal: CallJournal, planned: PlannedCall, passed: Passed, watch: StoreWatch
) -> Generator[Execution | SleepUntil, Any, None]:
    """Writes what of an outcome belongs into the store, until it is there; on the call's threads.

    The call has happened: to give up would be to forget it.
    """
    upload = passed.upload
    attempt = 0
    while upload is not None:
        outcome: FunctionOutcome = yield Execution(upload, owner=journal)
        error = outcome.error
        if error is None:
            watch.written()
            journal.telemetry.count("offloaded")
            return
        failure = PayloadNotWritable(
            f"{planned.call.identity.shown}: its result cannot be written to the store ({error!r})"
        )
        failure.__cause__ = error
        if not isinstance(error, Exception):
            journal.break_off(failure)
            raise failure
        watch.failed(error)
        pause = PAUSES[min(attempt, len(PAUSES) - 1)]
        attempt += 1
        journal.telemetry.count("offloadErrors")
        journal.telemetry.warning(
            f"{journal.identity.describe()} slot={planned.slot} attempt={attempt} {failure}: it is "
            f"tried again in {pause} s; the call has happened, and is in doubt until then"
        )
        try:
            yield SleepUntil(due_in(pause))
        except GeneratorExit:  # a sync call on the loop cannot wait
            journal.break_off(failure)
            raise
