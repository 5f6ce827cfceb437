"""Calls that see how many of them run at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future

from loops import PATIENCE


class Crowd:
    """Functions that stay until enough of them run at a time, and a while longer.

    Args:
        size: How many have to be together before the first one leaves.

    Attributes:
        most: How many ever were together.
        visits: How many came.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._running = 0
        self._lock = threading.Lock()
        self.most = 0
        self.visits = 0
        self._together: Future[None] = Future()
        self._together.set_running_or_notify_cancel()  # a waiter that is cancelled ends no other

    def visit(self, seconds: float = 0.0) -> None:
        self._come()
        self._together.result(PATIENCE)
        time.sleep(seconds)
        self._leave()

    async def visit_async(self, seconds: float = 0.0) -> None:
        self._come()
        await asyncio.wrap_future(self._together)
        await asyncio.sleep(seconds)
        self._leave()

    def _come(self) -> None:
        with self._lock:
            self._running += 1
            self.visits += 1
            self.most = max(self.most, self._running)
            if self._running >= self._size:
                self.let_go()

    def let_go(self) -> None:
        """All may leave, and whoever comes later."""
        if not self._together.done():
            self._together.set_result(None)

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
