"""A limit to how many calls run at a time, wherever they run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from pyflink_durable.runtime.execution.execution import Execution


class InFlightLimit:
    """Starts calls as there is room; the others wait in line and hold no thread.

    A call that ran into its timeout makes room, although its function may go on: it could go on
    for ever. One that is revoked makes room, too.

    Args:
        size: How many run at a time.
        start: Starts a call; called from any thread.
    """

    def __init__(self, size: int, start: Callable[[Execution], None]) -> None:
        self._size = size
        self._start = start
        self._running = 0
        self._in_line: deque[Execution] = deque()
        self._lock = threading.Lock()

    def start(self, execution: Execution) -> None:
        """Starts a call, or puts it in line."""
        with self._lock:
            if self._running >= self._size:
                self._in_line.append(execution)
                return
            self._running += 1
        self._take_in(execution)

    def _take_in(self, execution: Execution) -> None:
        """Gives the room that is free to a call, or to the first behind it that still wants it."""
        following: Execution | None = execution
        while following is not None and not following.occupy(self._ended):
            following = self._next_in_line()
        if following is not None:
            self._start(following)

    def _ended(self) -> None:
        following = self._next_in_line()
        if following is not None:
            self._take_in(following)

    def _next_in_line(self) -> Execution | None:
        """The call for which there is room now; None, and less are running, if none waits."""
        with self._lock:
            if self._in_line:
                return self._in_line.popleft()
            self._running -= 1
            return None
