"""A limit to how many calls run at a time, wherever they run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pyflink_durable.runtime.outcome import Outcome, Reports, Run


class InFlightLimit:
    """Starts calls as there is room; the others wait in line and hold no thread.

    A call that ran into its timeout makes room, although its function may go on: it could go on
    for ever.

    Args:
        size: How many run at a time.
        start: Starts a call; called from any thread.
    """

    def __init__(self, size: int, start: Callable[[Run], None]) -> None:
        self._size = size
        self._start = start
        self._running = 0
        self._in_line: deque[Run] = deque()
        self._lock = threading.Lock()

    def start(self, run: Run) -> None:
        """Starts a call, or puts it in line."""
        run.loop = _MakesRoom(run.loop, self)
        with self._lock:
            if self._running >= self._size:
                self._in_line.append(run)
                return
            self._running += 1
        self._start(run)

    def ended(self) -> None:
        """A call has ended: starts the next in line."""
        with self._lock:
            if not self._in_line:
                self._running -= 1
                return
            following = self._in_line.popleft()
        self._start(following)


class _MakesRoom:
    """Stands between a call and the loop that waits for it; passes its one outcome on."""

    def __init__(self, loop: Reports, limit: InFlightLimit) -> None:
        self._loop = loop
        self._limit = limit

    def call_soon_threadsafe(self, callback: Callable[..., Any], outcome: Outcome) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, outcome)
        finally:
            self._limit.ended()

    def is_closed(self) -> bool:
        return self._loop.is_closed()
