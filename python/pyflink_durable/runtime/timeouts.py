"""Calls that may take only so long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyflink_durable.current_call import running_call
from pyflink_durable.runtime.outcome import Outcome, Run, TimedOut

CANCEL_SECONDS = 1.0
"""How long a coroutine that was cancelled by its timeout has to end before it is abandoned."""


async def await_in_time(run: Run, timeout: float, on_abandoned: Callable[[int], None]) -> None:
    """Awaits a coroutine function and reports its outcome; cancels it at its timeout.

    One that ends in spite of that, with a result or an exception of its own, has an outcome: it is
    what is reported.

    Args:
        run: The function.
        timeout: Seconds that it may take.
        on_abandoned: Called with 1 if it does not even end when it is cancelled.
    """
    running_call.set(run.current)  # inherited by the task
    task = asyncio.ensure_future(_outcome_of(run))
    try:
        await asyncio.wait({task}, timeout=timeout)
        expired = not task.done()
        if expired:
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS)
    except asyncio.CancelledError:  # the task attempt ends
        task.cancel()
        raise
    if not task.done():
        on_abandoned(1)
    outcome = Outcome(None, TimedOut())
    if task.done() and not task.cancelled():
        ended = task.result()
        if not (expired and isinstance(ended.error, asyncio.CancelledError)):
            outcome = ended
    run.report(outcome)


async def _outcome_of(run: Run) -> Outcome:
    """Whatever the call raises is its outcome; a SystemExit of a task would end the thread."""
    try:
        return Outcome(await run.func(*run.args, **run.kwargs), None)
    except BaseException as error:
        return Outcome(None, error)


class TimedFunction:
    """A function on a thread whose outcome counts only if it comes in time.

    A thread cannot be interrupted: at the timeout it is left to itself, and what it returns later
    is dropped. As a context manager it is entered on the thread, around the function.

    Args:
        run: The function.
        timeout: Seconds that it may take, counted from when it runs.
        clock: The asyncio loop whose timer is used.
        on_expired: Called on that loop when the function is given up.
    """

    def __init__(
        self,
        run: Run,
        timeout: float,
        clock: asyncio.AbstractEventLoop,
        on_expired: Callable[[], None],
    ) -> None:
        self.run = Run(run.func, run.args, run.kwargs, run.current, timeout)
        self.run.loop = self
        self.run.on_outcome = _pass_on
        self.expired = False
        self._report = run.report
        self._timeout = timeout
        self._clock = clock
        self._on_expired = on_expired
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._on_clock(self._start_timer)

    def __exit__(self, *error: object) -> None:
        self._on_clock(self._stop_timer)

    def _on_clock(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the task attempt ends
            self._clock.call_soon_threadsafe(callback)

    def call_soon_threadsafe(self, callback: Callable[..., Any], outcome: Outcome) -> None:
        """Passes the outcome on, if it is the first; in the place of the loop that waits."""
        with self._lock:
            first, self._ended = not self._ended, True
        if first:
            self._report(outcome)

    def is_closed(self) -> bool:
        """Whether the function was given up."""
        return self.expired

    def _start_timer(self) -> None:
        if not self._ended:
            self._timer = self._clock.call_later(self._timeout, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = self.expired = True
        self._on_expired()
        self._report(Outcome(None, TimedOut()))


def _pass_on(outcome: Outcome) -> None:
    """Stands for who waits, whom the `TimedFunction` knows."""
