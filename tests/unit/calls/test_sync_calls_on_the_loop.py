"""Sync calls of an `async def` handler: recorded once, when they have ended."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from loops import Operator

from pyflink_durable import NotInInvocation
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner


async def answer() -> int:
    return 42


def interrupted() -> None:
    raise KeyboardInterrupt


def test_a_call_that_was_interrupted_leaves_its_invocation_broken() -> None:
    slots = SlotsInMemory()
    contexts: list[FlinkRunnerContext] = []

    async def handle() -> None:
        ctx = FlinkRunnerContext(slot_journal(slots, size=0))
        contexts.append(ctx)
        with pytest.raises(KeyboardInterrupt):
            ctx.durable_execute(interrupted)
        with pytest.raises(NotInInvocation, match=r"its task fails: KeyboardInterrupt\(\)"):
            ctx.durable_execute(int)

    Operator().run(handle())
    assert slots.slots == []
    assert isinstance(
        contexts[0].conclude(FunctionOutcome("went on", None)).error, KeyboardInterrupt
    )


def test_a_function_that_returns_a_coroutine_is_refused() -> None:
    slots = SlotsInMemory()
    made: list[Any] = []

    def make() -> Any:
        made.append(answer())
        return made[-1]

    async def handle() -> None:
        ctx = FlinkRunnerContext(slot_journal(slots, size=0))
        with pytest.raises(TypeError, match="durable_execute_async"):
            ctx.durable_execute(make)

    Operator().run(handle())
    assert inspect.getcoroutinestate(made[0]) == "CORO_CLOSED"


def test_a_def_handler_that_returns_a_coroutine_has_failed() -> None:
    operator, executor, pool = Operator(), CallExecutor(), ThreadPool("handler", 1)
    ended: list[Invocation] = []
    on_end: Callable[[Invocation], None] = ended.append
    runner = ThreadHandlerRunner(lambda value, ctx: answer(), operator.loop, executor, pool, on_end)
    runner.start(Invocation(0, None, FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0))))
    operator.drain_until(lambda: bool(ended))
    outcome = ended[0].outcome
    assert isinstance(outcome, FunctionOutcome)
    assert isinstance(outcome.error, TypeError)
    assert "async def" in str(outcome.error)
    assert executor.close(time.monotonic() + 10) == []
    assert pool.close(time.monotonic() + 10) == []
