"""Drives the lives of calls on the thread that asks for them."""

from __future__ import annotations

import heapq
import inspect
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

from pyflink_durable.errors import DurableExecutionError, NotInInvocation
from pyflink_durable.identity import compute_function_id
from pyflink_durable.runtime.call_life import InTurn, Life, Run, SleepUntil, Step
from pyflink_durable.runtime.executors import CallExecutor
from pyflink_durable.runtime.outcome import Outcome, run_inside_call

_LONGEST_WAIT_SECONDS = 86_400.0  # a lock of the standard library takes no timeout of years


def run_on_the_loop(life: Life) -> Outcome:
    """Runs a call inside an ``async def`` handler, where nothing can be waited for."""
    sent: Any = None
    while True:
        try:
            step = life.send(sent)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        if isinstance(step, Run):
            sent = _run_here(step)
        elif isinstance(step, InTurn):
            sent = None
        else:
            life.close()
            raise DurableExecutionError(
                "the journal has this call wait, which a sync call of an `async def` handler "
                "cannot: use `await ctx.durable_execute_async(...)`"
            )


def run_blocking(life: Life, executor: CallExecutor) -> Outcome:
    """Runs a call of a ``def`` handler; its function runs here, unless it has a timeout."""
    return _BlockingDriver(executor).run([life], here=True)[0]


def run_all_blocking(lives: Sequence[Life], executor: CallExecutor) -> list[Outcome]:
    """Runs calls of a ``def`` handler together, on the executor's threads."""
    return _BlockingDriver(executor).run(lives, here=False)


class _BlockingDriver:
    """Takes the steps of several lives, and waits for what they wait for, on one thread."""

    def __init__(self, executor: CallExecutor) -> None:
        self._executor = executor
        self._arrived: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._sleeping: list[tuple[int, int]] = []

    def run(self, lives: Sequence[Life], here: bool) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        with self._executor.on_closing(lambda: self._arrived.put((-1, None))):
            for number, life in enumerate(lives):
                self._advance(number, life, None, here, outcomes)
            while len(outcomes) < len(lives):
                number, sent = self._next()
                self._advance(number, lives[number], sent, here, outcomes)
        return [outcomes[number] for number in range(len(lives))]

    def _advance(
        self, number: int, life: Life, sent: Any, here: bool, outcomes: dict[int, Outcome]
    ) -> None:
        """Lets a life go on until it has to be waited for, or has ended."""
        while True:
            try:
                step = life.send(sent)
            except StopIteration as end:
                outcomes[number] = end.value
                return
            except Exception as error:
                outcomes[number] = Outcome(None, error)
                return
            if isinstance(step, InTurn):
                sent = None
            elif isinstance(step, Run) and here and step.timeout is None:
                sent = _run_here(step)
            else:
                self._start(number, step)
                return

    def _start(self, number: int, step: Step) -> None:
        def arrive(sent: Any) -> None:
            self._arrived.put((number, sent))

        if isinstance(step, Run):
            func, args, kwargs, current, timeout = step
            self._executor.submit(_AtOnce(), arrive, func, args, kwargs, current, timeout)
        elif isinstance(step, SleepUntil):
            heapq.heappush(self._sleeping, (step.due, number))
        elif not isinstance(step, InTurn):
            step.on_release(arrive)

    def _next(self) -> tuple[int, Any]:
        """Waits for what comes first: an outcome, a release, or the end of a sleep."""
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
            if number < 0:
                _raise_ended()
            return number, sent


class _AtOnce:
    """Takes outcomes on the thread on which they come about."""

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> None:
        callback(*args)

    def is_closed(self) -> bool:
        return False


def _raise_ended() -> NoReturn:
    raise NotInInvocation(
        "the task attempt of this handler has ended while it waited; what it does no longer counts"
    )


def _run_here(step: Run) -> Outcome:
    """Runs a function, and refuses what a call cannot be replayed with: a coroutine."""
    outcome = run_inside_call(step.current, step.func, step.args, step.kwargs)
    if not inspect.isawaitable(outcome.value):
        return outcome
    if inspect.iscoroutine(outcome.value):
        outcome.value.close()
    error = TypeError(
        f"{compute_function_id(step.func)} returned an awaitable: call it with "
        "`await ctx.durable_execute_async(...)` in an `async def` handler"
    )
    return Outcome(None, error)
