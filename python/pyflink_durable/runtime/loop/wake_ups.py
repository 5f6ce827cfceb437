"""When the loop is to be driven again: the timers that stand on its real clock."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any

_FEW = 100
"""So many cancelled timers are not worth a look through all."""


def _note(handle: Any, scheduled: bool) -> None:
    """As asyncio's own loop notes in a handle whether it is in the heap."""
    handle._scheduled = scheduled


def is_scheduled(handle: Any) -> bool:
    """Whether a handle waits for its time."""
    return bool(handle._scheduled)


class WakeUps:
    """Timers by the monotonic clock; the task thread is asked to come for the first one.

    Args:
        wake_at: Asks the task thread to come at a time (milliseconds since the epoch).

    Attributes:
        timers: A heap of due time, number, what to run, and the handle whose cancellation stops it.
    """

    def __init__(self, wake_at: Callable[[int], None]) -> None:
        self.timers: list[tuple[float, int, asyncio.TimerHandle, asyncio.TimerHandle]] = []
        self._wake_at = wake_at
        self._cancelled = 0
        self._asked_for = float("inf")
        self._numbers = itertools.count()  # equal entries of a heap keep their order

    def add(self, when: float, handle: asyncio.TimerHandle, unless: asyncio.TimerHandle) -> None:
        """Adds a timer.

        Args:
            when: When it is due.
            handle: What to run.
            unless: It is passed over if this handle has been cancelled by then.
        """
        _note(handle, scheduled=True)
        heapq.heappush(self.timers, (when, next(self._numbers), handle, unless))
        self.ask()

    def pop(self, now: float) -> asyncio.TimerHandle | None:
        """The next timer that is due; None if none is."""
        if self._asked_for <= now:
            self._asked_for = float("inf")
        while self.timers and self.timers[0][0] <= now:
            handle, unless = heapq.heappop(self.timers)[2:]
            _note(handle, scheduled=False)
            if not unless.cancelled():
                return handle
        return None

    def ask(self) -> None:
        """Asks the task thread to come when the first timer is due, if it has not been asked."""
        while self.timers and self.timers[0][3].cancelled():
            heapq.heappop(self.timers)
        if self.timers and self.timers[0][0] < self._asked_for:
            self._asked_for = self.timers[0][0]
            delay = max(0.0, self._asked_for - time.monotonic())
            # a millisecond later than due, since Flink's clock is not this one
            self._wake_at(int((time.time() + delay) * 1000) + 1)

    def note_cancelled(self) -> None:
        """A timer was cancelled; it is passed over when its time comes.

        Timeouts of an hour around calls of a second would fill the memory until then, so now and
        again those are dropped that have been cancelled.
        """
        self._cancelled += 1
        if self._cancelled > max(_FEW, len(self.timers) // 2):
            self._cancelled = 0
            self.timers = [timer for timer in self.timers if not timer[3].cancelled()]
            heapq.heapify(self.timers)
