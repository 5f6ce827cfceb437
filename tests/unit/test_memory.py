"""Finished invocations are freed at once, without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bridges import SlotsInMemory
from loops import Operator, wait_until

from pyflink_durable.runtime import FlinkRunnerContext
from pyflink_durable.runtime.executors import CallExecutor
from pyflink_durable.runtime.journal import SlotJournal


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
        ctx = FlinkRunnerContext(SlotJournal(SlotsInMemory(), size=0), executor)
        seen.append(weakref.ref(ctx))
        ctx.durable_execute(int)
        ctx.state["visits"] = 1
        ctx.collect(await ctx.durable_execute_async(int))
        ctx.end()

    Operator().run(handle())
    assert seen[0]() is None


class Payload:
    """What a call is made with."""


def fail(payload: Payload) -> None:
    raise ValueError("declined")


async def fail_async(payload: Payload) -> None:
    raise ValueError("declined")


@pytest.mark.parametrize("func", [fail, fail_async])
def test_a_failed_call_leaves_no_cycle(
    no_collector: None, executor: CallExecutor, func: Callable[..., Any]
) -> None:
    seen = []

    async def handle() -> None:
        ctx = FlinkRunnerContext(SlotJournal(SlotsInMemory(), size=0), executor)
        payload = Payload()
        seen.append(weakref.ref(payload))
        with pytest.raises(ValueError, match="declined"):
            await ctx.durable_execute_async(func, payload)
        ctx.end()

    Operator().run(handle())
    wait_until(lambda: seen[0]() is None)  # the thread that ran it may still be about to end it
