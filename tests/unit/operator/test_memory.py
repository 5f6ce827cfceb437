"""Finished invocations are freed at once, without the garbage collector."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from loops import PATIENCE, Operator, wait_until

from pyflink_durable import DurableCall
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.journal.access import SlotJournal
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def executor() -> Iterator[CallExecutor]:
    executor = CallExecutor()
    yield executor
    executor.close(0)


def test_a_finished_invocation_leaves_no_cycle(no_collector: None, executor: CallExecutor) -> None:
    seen = []

    async def handle() -> None:
        ctx = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
        seen.append(weakref.ref(ctx))
        ctx.durable_execute(int)
        ctx.state["visits"] = 1
        ctx.collect(await ctx.durable_execute_async(int))
        ctx.end()

    journals = count_journals()
    Operator().run(handle())
    assert seen[0]() is None
    assert count_journals() == journals


def count_journals() -> int:
    return sum(isinstance(one, (CallJournal, SlotJournal)) for one in gc.get_objects())


class Payload:
    """What a call is made with."""


def fail(payload: Payload) -> None:
    raise ValueError("declined")


async def fail_async(payload: Payload) -> None:
    raise ValueError("declined")


def succeed(payload: Payload) -> None: ...


@pytest.mark.parametrize("func", [fail, fail_async])
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_a_failed_call_leaves_no_cycle(
    no_collector: None, executor: CallExecutor, func: Callable[..., Any], timeout: float | None
) -> None:
    seen = []

    async def handle() -> None:
        ctx = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
        payload = Payload()
        seen.append(weakref.ref(payload))
        with pytest.raises(ValueError, match="declined"):
            await ctx.durable_execute_async(func, payload, timeout=timeout)
        ctx.end()

    Operator().run(handle())
    wait_until(lambda: seen[0]() is None)  # the thread that ran it may still be about to end it


def test_a_call_with_a_timeout_leaves_no_cycle(no_collector: None, executor: CallExecutor) -> None:
    seen = []

    async def handle() -> None:
        ctx = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
        payload = Payload()
        seen.append(weakref.ref(payload))
        await ctx.durable_execute_async(succeed, payload, timeout=PATIENCE)
        ctx.end()

    Operator().run(handle())
    wait_until(lambda: seen[0]() is None)


def test_a_failed_sync_call_leaves_no_cycle(no_collector: None, executor: CallExecutor) -> None:
    def make_one() -> weakref.ref[Payload]:
        ctx = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
        payload = Payload()
        with pytest.raises(ValueError, match="declined"):
            ctx.durable_execute(fail, payload)
        ctx.end()
        return weakref.ref(payload)

    async def handle() -> weakref.ref[Payload]:
        return make_one()

    assert make_one()() is None, "on the thread of a def handler"
    assert Operator().run(handle())() is None, "on the loop"


def test_a_failed_sync_batch_leaves_no_cycle(no_collector: None, executor: CallExecutor) -> None:
    async def handle() -> weakref.ref[Payload]:
        ctx = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
        payload = Payload()
        [outcome] = ctx.durable_execute_all([DurableCall(fail, (payload,))])
        assert str(outcome.error) == "declined"
        del outcome  # this frame is in the error's traceback
        ctx.end()
        return weakref.ref(payload)

    assert Operator().run(handle())() is None


def test_a_def_handler_that_fails_leaves_no_cycle(
    no_collector: None, executor: CallExecutor
) -> None:
    operator, pool = Operator(), ThreadPool("handler", 1)
    ended: list[bool] = []

    def on_end(invocation: Invocation) -> None:
        assert invocation.outcome is not None
        ended.append(invocation.outcome.error is not None)
        invocation.outcome = None  # as the host does

    def handler(value: Payload, ctx: FlinkRunnerContext) -> None:
        fail(value)

    payload = Payload()
    seen = weakref.ref(payload)
    runner = ThreadHandlerRunner(handler, operator.loop, executor, pool, on_end)
    context = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
    runner.start(Invocation(1, payload, context))
    del payload
    operator.drain_until(lambda: bool(ended))
    assert ended == [True]
    wait_until(lambda: seen() is None)
    assert runner.close(time.monotonic() + PATIENCE) == []
