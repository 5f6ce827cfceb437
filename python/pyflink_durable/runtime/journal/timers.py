"""Timers of a handler that survive a failure: their deadlines are in the journal.

`asyncio.sleep`, `asyncio.timeout` and `wait_for` all ask the loop for a timer, so all are durable.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from pyflink_durable.errors import CallLogError
from pyflink_durable.runtime.journal.bridge import HoldKind
from pyflink_durable.runtime.journal.clock import InvocationClock, micros_of
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import due_in, now

OVERDUE = sys.maxsize // 2
"""The first turn of timers whose time came while the job was down, in the order of their deadlines:
behind all that had ended by then, and before the calls that the failure interrupted, which the
handler may give up."""


class TimerLoop(Protocol):
    """What a timer needs of the loop."""

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
        journal: The invocation's.
        hold: What an outcome waits for before the handler sees it.
    """

    def __init__(self, journal: InvocationJournal, hold: HoldKind | None = None) -> None:
        self._journal = journal
        self._hold = hold

    @property
    def open(self) -> bool:
        """Whether the invocation runs; its clean-up sleeps without a journal."""
        return not self._journal.closed

    def start(
        self,
        loop: TimerLoop,
        when: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Any,
    ) -> asyncio.TimerHandle:
        """Starts a timer, or goes on with the one that the journal holds in its place.

        It takes as long as the handler asked for, from now: the handler's clock may have stood for
        a while, since a failure for example, and a timeout that begins then is not over yet.

        Args:
            loop: Where it fires.
            when: When it is to fire, on the invocation's clock.
            callback: What is called then.
            args: With which arguments.
            context: In which context, None for that of the caller.
        """
        slot = OwnSlot(self._journal, SlotKind.TIMER)
        timer = _Timer(slot, self._journal.clock, loop, when, callback, args, context)
        if slot.is_filled:
            loop.replay_in_turn(slot.completion, partial(self._fire_again, timer))
            return timer.handle
        due = slot.due
        if due is None:
            due = due_in(when - self._journal.clock.time())
            slot.open(due)
        elif due <= due_in(0):
            loop.replay_in_turn(OVERDUE + due, partial(self._fire_unless_cancelled, timer))
            return timer.handle
        loop.wake_up_at(due, partial(self._fire, timer), timer.handle)
        return timer.handle

    def _fire_again(self, timer: _Timer) -> None:
        self._journal.note_replayed()
        at = timer.slot.ended_at
        # release 0.1 wrote no time: it was the deadline at least
        timer.run(micros_of(timer.handle.when()) if at is None else at)

    def _fire_unless_cancelled(self, timer: _Timer) -> None:
        if not timer.handle.cancelled():
            self._fire(timer)

    def _fire(self, timer: _Timer) -> None:
        """The time has come: journals it, so that a replay has it fire at the same point."""
        at = max(now(), micros_of(timer.handle.when()))
        self._journal.replaying = False
        hold = timer.slot.fill(None, None, at, self._hold) if self.open else None
        if hold is None:
            timer.run(at)
        else:
            hold.on_release(partial(self._released, timer, at))

    def _released(self, timer: _Timer, at: int, error: str | None) -> None:
        """Has the handler see that the time has come, if the log has taken it.

        Raises:
            CallLogError: It has not. A timer has nobody to give an error to, so the task fails.
        """
        if error is not None:
            raise CallLogError(
                f"slot {timer.slot.number}: that a timer has fired is not safe: {error}"
            )
        timer.run(at)


class _Timer:
    """A timer as asyncio sees it: a handle, which it may cancel until its callback has run."""

    def __init__(
        self,
        slot: OwnSlot,
        clock: InvocationClock,
        loop: Any,
        when: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Any,
    ) -> None:
        self.slot = slot
        self.handle = asyncio.TimerHandle(when, callback, args, loop, context)
        self._clock = clock

    def run(self, at: int) -> None:
        if not self.handle.cancelled():
            self._clock.move(at)
            self.handle._run()
