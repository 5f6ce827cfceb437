"""One run of the handler for one input."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.loop.invocation_tasks import InvocationTasks
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext


class Invocation(InvocationTasks):
    """One run of the handler for one input, with the tasks that it has started.

    Attributes:
        id: Its number in this attempt of the subtask.
        value: The input, which is the handler's.
        input: The input as it came, where a dead letter may need it.
        outcome: How the handler ended.
        task: The task that runs it.
        parked: Whether it is dropped, to be run again later: nobody is told how it ended.
    """

    __slots__ = ("id", "input", "outcome", "parked", "task", "value")

    context: FlinkRunnerContext

    def __init__(self, number: int, value: Any, context: FlinkRunnerContext) -> None:
        super().__init__(number, context)
        self.id = number
        self.value = value
        self.input: Any = None
        self.outcome: FunctionOutcome | None = None
        self.task: asyncio.Task[None] | None = None
        self.parked = False


OnEnd = Callable[[Invocation], None]
"""Told of an invocation, on the task thread, when its handler has ended."""
