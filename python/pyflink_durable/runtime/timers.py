"""Timers of a handler that survive a failure: their deadlines are in the journal.

`asyncio.sleep`, `asyncio.timeout` and `wait_for` all ask the loop for a timer, so all are durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from pyflink_durable.errors import CallLogError
from pyflink_durable.runtime.bridge import PENDING, TIMER, HoldKind, completion_of, due_of
from pyflink_durable.runtime.call_life import AFTER_REPLAY
from pyflink_durable.runtime.calls import CallJournal
from pyflink_durable.runtime.deadlines import due_in, now
from pyflink_durable.runtime.payload import dump_result

_FIRED = dump_result(None)

_OVERDUE = AFTER_REPLAY - 1
"""The turn of a timer whose time came while the job was down: behind all that had ended by then,
and before the calls that the failure interrupted, which the handler may give up."""


class TimerLoop(Protocol):
    """What a timer needs of the loop."""

    def time(self) -> float:
        """The loop's clock, in seconds."""

    def wake_up_at(
        self, due: int, callback: Callable[[], None], unless: asyncio.TimerHandle | None = None
    ) -> None:
        """Calls back at a time in milliseconds since the epoch, unless the handle is cancelled."""

    def replay_in_turn(self, completion: int, replay: Callable[[], None]) -> None:
        """Calls `replay` at its place in the order of completion."""


class DurableTimers:
    """The timers of one invocation.

    Each takes a slot, in which its deadline stands. After a failure a timer that has fired fires in
    its turn; one that has not goes on waiting for the deadline that it had.

    Args:
        calls: The invocation's journal.
        hold: What an outcome waits for before the handler sees it.
    """

    def __init__(self, calls: CallJournal, hold: HoldKind | None = None) -> None:
        self._calls = calls
        self._hold = hold

    @property
    def open(self) -> bool:
        """Whether the invocation runs; its clean-up sleeps without a journal."""
        return not self._calls.closed

    def start(
        self,
        loop: TimerLoop,
        delay: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Any,
    ) -> asyncio.TimerHandle:
        """Starts a timer, or goes on with the one that the journal holds in its place."""
        slot, found = self._calls.take_slot(TIMER)
        timer = _Timer(loop, delay, callback, args, context)
        if found is not None and found[2] != PENDING:
            self._calls.access.replayed(slot, TIMER)
            loop.replay_in_turn(completion_of(found), timer.run)
            return timer.handle
        due = None if found is None else due_of(found)
        if due is None:
            due = due_in(delay)
            self._calls.access.schedule(slot, TIMER, 1, due)
        elif due <= due_in(0):
            loop.replay_in_turn(_OVERDUE, partial(self._fire_unless_cancelled, slot, timer))
            return timer.handle
        loop.wake_up_at(due, partial(self._fire, slot, timer), timer.handle)
        return timer.handle

    def _fire_unless_cancelled(self, slot: int, timer: _Timer) -> None:
        if not timer.handle.cancelled():
            self._fire(slot, timer)

    def _fire(self, slot: int, timer: _Timer) -> None:
        """The time has come: journals it, so that a replay has it fire at the same point."""
        hold = None
        if self.open:
            hold = self._calls.expect(slot, self._hold)
            self._calls.access.finalize(slot, TIMER, _FIRED, None, now(), self._hold)
        if hold is None:
            timer.run()
        else:
            hold.on_release(lambda error: self._released(slot, timer, error))

    def _released(self, slot: int, timer: _Timer, error: str | None) -> None:
        """Has the handler see that the time has come, if the log has taken it.

        Raises:
            CallLogError: It has not. A timer has nobody to give an error to, so the task fails.
        """
        if error is not None:
            raise CallLogError(f"slot {slot}: that a timer has fired is not safe: {error}")
        timer.run()


class _Timer:
    """A timer as asyncio sees it: a handle, which it may cancel until its callback has run."""

    def __init__(
        self,
        loop: Any,
        delay: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Any,
    ) -> None:
        self.handle = asyncio.TimerHandle(loop.time() + delay, callback, args, loop, context)

    def run(self) -> None:
        if not self.handle.cancelled():
            self.handle._run()
