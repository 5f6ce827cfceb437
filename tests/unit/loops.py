"""Drives a `DurableLoop` as the operator does, one step after each wake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from pyflink_durable.runtime.loop.loop import DurableLoop

PATIENCE = 30.0
"""Seconds after which a test that waits for something fails."""


class Clock:
    """Stands in for the module `time`; the two clocks have different origins."""

    offset = 1_700_000_000.0

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + self.offset


class Operator:
    """The task thread, as far as the loop knows it.

    Attributes:
        wakes: How often it was asked to drain.
        wakes_at: When it was asked to drain, in seconds since the epoch.
        problems: What the loop reported.
    """

    def __init__(self) -> None:
        self.wakes = 0
        self.wakes_at: list[float] = []
        self.problems: list[str] = []
        self._woken = threading.Event()
        self.loop = DurableLoop(
            self._wake, lambda millis: self.wakes_at.append(millis / 1000), self.problems.append
        )

    def _wake(self) -> None:
        self.wakes += 1
        self._woken.set()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Starts a handler and runs it to its first wait; gives its task."""
        task = self.loop.create_task(coroutine)
        self.loop.run_until_idle()
        return task

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a handler to its end; gives its result."""
        task = self.start(coroutine)
        self.drain_until(task.done)
        return task.result()

    def drain_until(self, condition: Callable[[], bool]) -> None:
        """Drains after each wake, asked for at once or for a time, until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, "the handler waits for something that does not come"
            due = min(self.wakes_at, default=time.time() + left) - time.time()
            if self._woken.wait(max(0.0, min(left, due))):
                self._woken.clear()
            now = time.time()
            self.wakes_at = [at for at in self.wakes_at if at > now]
            self.loop.drain()


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for another thread."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.001)
