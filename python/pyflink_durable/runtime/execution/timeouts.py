"""Calls that may take only so long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from pyflink_durable.runtime.execution.execution import Execution, cancelled_itself
from pyflink_durable.runtime.execution.outcome import FunctionOutcome, TimedOut

CANCEL_SECONDS = 1.0
"""How long a coroutine that was cancelled by its timeout has to end before it is abandoned."""


async def await_in_time(
    execution: Execution, timeout: float, on_abandoned: Callable[[int], None]
) -> None:
    """Awaits a coroutine function and reports its outcome; cancels it at its timeout.

    One that ends in spite of that, with a result or an exception of its own, has an outcome: it is
    what is reported.

    Args:
        execution: The function; it has begun.
        timeout: Seconds that it may take.
        on_abandoned: Called with 1 if it does not even end when it is cancelled.
    """
    func = execution.func
    # of its own, since a SystemExit of a task would end the thread
    task = asyncio.ensure_future(execution.run_async())
    try:
        await asyncio.wait({task}, timeout=timeout)
        expired = not task.done()
        if expired:
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS)
    except asyncio.CancelledError:  # the task attempt ends
        task.cancel()
        raise
    outcome = FunctionOutcome(None, TimedOut())
    if task.done() and not task.cancelled():
        ended = task.result()
        if not isinstance(ended.error, asyncio.CancelledError):
            outcome = ended
        elif not expired:
            outcome = cancelled_itself(ended.error, func)
    execution.report(outcome)
    if not task.done():
        on_abandoned(1)


class ThreadTimeout:
    """The time that a function on a thread has.

    A thread cannot be interrupted: at the timeout it is left to itself, and what it returns later
    is dropped. As a context manager it is entered on the thread, around the function.

    Args:
        execution: The function, with a timeout.
        clock: The asyncio loop whose timer is used.
        on_expired: Called on that loop when the function has been given up.
    """

    def __init__(
        self,
        execution: Execution,
        clock: asyncio.AbstractEventLoop,
        on_expired: Callable[[], None],
    ) -> None:
        self._execution = execution
        self._clock = clock
        self._on_expired = on_expired
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def __enter__(self) -> None:
        self._on_clock(self._start_timer)

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._on_clock(self._stop_timer)

    def _on_clock(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the task attempt ends
            self._clock.call_soon_threadsafe(callback)

    def _start_timer(self) -> None:
        if not self._ended:
            timeout = self._execution.timeout
            assert timeout is not None
            self._timer = self._clock.call_later(timeout, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        if not self._ended and self._execution.report(FunctionOutcome(None, TimedOut())):
            self._on_expired()
