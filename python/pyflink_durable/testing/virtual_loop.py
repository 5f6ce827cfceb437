"""The handlers' loop, driven without a task thread: its timers are asked for, its wakes noted."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.loop.loop import DurableLoop

RunHere = Callable[[Execution, Callable[[Execution], FunctionOutcome]], FunctionOutcome]
"""Runs a function on the thread that asks, by the way that is given."""


class VirtualLoop(DurableLoop):
    """The loop of one attempt.

    Args:
        on_problem: Gets one line for an exception that no handler will see.
        run_here: Runs the functions of sync calls.

    Attributes:
        woken: Whether something was handed over that has not been taken in.
    """

    def __init__(self, on_problem: Callable[[str], None], run_here: RunHere) -> None:
        super().__init__(self._note_wake, lambda millis: None, on_problem)
        self.woken = False
        self._run_here = run_here

    def _note_wake(self) -> None:
        self.woken = True

    def drain(self) -> None:
        self.woken = False
        super().drain()

    def run_call(self, execution: Execution) -> FunctionOutcome:
        return self._run_here(execution, super().run_call)

    def next_timer(self) -> float | None:
        """When the next timer is due, None if there is none."""
        timers = self._wake_ups.timers
        while timers and timers[0][3].cancelled():
            heapq.heappop(timers)
        return timers[0][0] if timers else None
