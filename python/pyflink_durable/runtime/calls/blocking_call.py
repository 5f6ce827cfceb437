"""Drives the lives of calls on the thread that asks for them."""

from __future__ import annotations

import heapq
import inspect
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any

from pyflink_durable.checks.arguments import is_awaitable, is_coroutine_function
from pyflink_durable.errors import DurableExecutionError, NotInInvocation
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.runtime.calls.life import Life
from pyflink_durable.runtime.calls.steps import SleepUntil, Step, WaitForTurn
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.loop.own_thread import KeepsToItsThread

_ENDED = -1  # in place of the number of a life
_LONGEST_WAIT_SECONDS = 86_400.0  # a lock of the standard library takes no timeout of years


def check_ordinary(*functions: Callable[..., Any] | None) -> None:
    """Refuses coroutine functions, before anything is written.

    Raises:
        TypeError: One of them is.
    """
    for function in functions:
        if function is not None and is_coroutine_function(function):
            raise TypeError(
                f"{compute_function_id(function)} is a coroutine function: call it with "
                "`await ctx.durable_execute_async(...)` in an `async def` handler"
            )


def run_holding_the_loop(life: Life, loop: AbstractEventLoop) -> FunctionOutcome:
    """Runs a call inside an ``async def`` handler, where nothing can be waited for.

    Args:
        life: The call's.
        loop: The handler's.
    """
    sent: Any = None
    while True:
        try:
            step = life.send(sent)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            sent = None  # an error's traceback holds this frame
        if isinstance(step, Execution):
            sent = _run_here(step, loop)
        elif not isinstance(step, WaitForTurn):
            life.close()
            raise DurableExecutionError(
                "the journal has this call wait, which a sync call of an `async def` handler "
                "cannot: use `await ctx.durable_execute_async(...)`"
            )


def may_be_interrupted(loop: AbstractEventLoop) -> bool:
    """Whether a checkpoint can come between the start and the end of a call on the loop."""
    return not isinstance(loop, KeepsToItsThread)  # that is driven by the task thread


def run_blocking(life: Life, executor: CallExecutor) -> FunctionOutcome:
    """Runs a call of a ``def`` handler; its function runs here, unless it has a timeout."""
    waits = BlockingWaits(executor)
    with executor.on_closing(waits.end):
        sent: Any = None
        while True:
            try:
                step = life.send(sent)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            finally:
                sent = None  # an error's traceback holds this frame
            if isinstance(step, Execution) and step.timeout is None:
                sent = _check_ended(step, executor.run_here(step))
            elif not isinstance(step, WaitForTurn):
                waits.start(0, step, executor)
                _, sent = waits.next()


class BlockingWaits:
    """What one thread waits for: outcomes, releases and times, for several lives.

    Args:
        executor: Whose calls it waits for.
    """

    def __init__(self, executor: CallExecutor) -> None:
        self._arrived: SimpleQueue[tuple[int, Any]] = executor.arrivals()
        self._sleeping: list[tuple[int, int]] = []

    def start(self, number: int, step: Step, executor: CallExecutor) -> None:
        """Starts what a life waits for; `next` gives its number when it is there."""

        def arrive(sent: Any) -> None:
            self.arrive(number, sent)

        if isinstance(step, Execution):
            step.context = copy_context()
            executor.submit(step, arrive)
        elif isinstance(step, SleepUntil):
            self.sleep(number, step.due)
        elif isinstance(step, WaitForTurn):
            arrive(None)
        else:
            step.on_release(arrive)

    def arrive(self, number: int, sent: Any) -> None:
        """Has `next` give this; called from any thread."""
        self._arrived.put((number, sent))

    def sleep(self, number: int, due: int) -> None:
        """Has `next` give a number at a time in milliseconds since the epoch."""
        heapq.heappush(self._sleeping, (due, number))

    def next(self) -> tuple[int, Any]:
        """Waits for what comes first; gives the number of the life, and what is to be sent to it.

        Raises:
            NotInInvocation: The task attempt has ended meanwhile.
        """
        while True:
            seconds = None
            if self._sleeping:
                seconds = self._sleeping[0][0] / 1000 - time.time()
                if seconds <= 0:
                    return heapq.heappop(self._sleeping)[1], None
                seconds = min(seconds, _LONGEST_WAIT_SECONDS)
            try:
                number, sent = self._arrived.get(timeout=seconds)
            except Empty:
                continue
            if number == _ENDED:
                raise NotInInvocation(
                    "the task attempt of this handler has ended while it waited; what it does no "
                    "longer counts"
                )
            return number, sent

    def end(self) -> None:
        """The task attempt ends: nothing that is waited for will come."""
        self._arrived.put((_ENDED, None))


def _run_here(step: Execution, loop: AbstractEventLoop) -> FunctionOutcome:
    outcome = loop.run_call(step) if isinstance(loop, KeepsToItsThread) else step.run()
    try:
        return _check_ended(step, outcome)
    finally:
        del outcome  # an error's traceback holds this frame


def _check_ended(step: Execution, outcome: FunctionOutcome) -> FunctionOutcome:
    """Refuses what a call cannot be replayed with: a coroutine."""
    if not is_awaitable(outcome.value):
        try:
            return outcome
        finally:
            del outcome  # an error's traceback holds this frame
    if inspect.iscoroutine(outcome.value):
        outcome.value.close()
    error = TypeError(
        f"{compute_function_id(step.func)} returned an awaitable: call it with "
        "`await ctx.durable_execute_async(...)` in an `async def` handler"
    )
    return FunctionOutcome(None, error)
