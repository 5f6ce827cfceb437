"""`LocalRunnerContext`: calls run plainly, and what is about crashes is ignored, and told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from outside import Outside
from pyflink.common import Types
from pyflink.datastream import OutputTag

from pyflink_durable import (
    DurableCall,
    LocalRunnerContext,
    OutcomeUnknown,
    RetryPolicy,
    RunnerContext,
    current_call,
)

TAG = OutputTag("late", Types.STRING())


async def handle(value: Any, ctx: RunnerContext) -> Any:
    outside, number = value
    first = ctx.durable_execute(outside.charge, number, reconciler=outside.look_up)
    both = await asyncio.gather(
        ctx.durable_execute_async(outside.charge, number, tip=1, reconciler=outside.look_up),
        ctx.durable_execute_async(outside.charge_remotely, number, durable_id="mine"),
    )
    ctx.collect(number)
    ctx.output(TAG, "late")
    ctx.state["sum"] = ctx.state.get("sum", 0) + number
    return [ctx.key, ctx.timestamp, first, *both]


def test_a_handler_runs_plainly() -> None:
    outside, state = Outside(), {"sum": 5}
    ctx = LocalRunnerContext(key="k", timestamp=17, state=state)
    assert asyncio.run(handle((outside, 2), ctx)) == ["k", 17, *["charged"] * 3]
    assert outside.asked == ["charge"] * 3
    assert ((2,), {}) in outside.arguments
    assert ((2,), {"tip": 1}) in outside.arguments
    assert ctx.collected == [2]
    assert ctx.outputs == [(TAG, "late")]
    assert state == {"sum": 7}


def test_without_anything_given() -> None:
    ctx = LocalRunnerContext()
    assert (ctx.key, ctx.timestamp, dict(ctx.state)) == (None, None, {})
    assert LocalRunnerContext().state is not ctx.state


@pytest.mark.parametrize("method", ["durable_execute", "durable_execute_async"])
@pytest.mark.parametrize(
    ("reconciler", "message"),
    [
        (7, "reconciler must be callable"),
        (lambda order: order, "reconciler must be a callable that takes no arguments"),
    ],
)
def test_a_bad_reconciler_is_refused_as_in_a_job(
    method: str, reconciler: Any, message: str
) -> None:
    outside = Outside()
    with pytest.raises(TypeError) as caught:
        getattr(LocalRunnerContext(), method)(outside.charge, reconciler=reconciler)
    assert str(caught.value) == message
    assert outside.asked == []


def test_what_a_call_raises() -> None:
    outside = Outside()
    outside.answers["charge"] = ValueError("declined")
    ctx = LocalRunnerContext()
    with pytest.raises(ValueError, match="declined"):
        ctx.durable_execute(outside.charge)
    for func in (outside.charge, outside.charge_remotely):
        with pytest.raises(ValueError, match="declined"):
            asyncio.run(_await(ctx.durable_execute_async(func)))
    assert "look_up" not in outside.asked


def test_an_asynchronous_call_runs_when_it_is_awaited() -> None:
    outside = Outside()

    async def handler() -> list[str]:
        call = LocalRunnerContext().durable_execute_async(outside.charge)
        await asyncio.sleep(0)
        before = list(outside.asked)
        await call
        return before

    assert asyncio.run(handler()) == []
    assert outside.asked == ["charge"]


def test_arguments_that_sound_like_the_contexts_own_are_the_functions() -> None:
    def takes(func: int, self: int) -> int:
        return func + self

    assert LocalRunnerContext().durable_execute(takes, func=1, self=2) == 3


class Busy:
    """Fails some times; notes which attempt it was."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.attempts: list[int] = []

    def answer(self, order: list[str]) -> list[str]:
        self.attempts.append(current_call().attempt)
        order.append("seen")
        if len(self.attempts) <= self.times:
            raise ConnectionError("busy")
        return order

    async def answer_remotely(self, order: list[str]) -> list[str]:
        return self.answer(order)


AT_ONCE = RetryPolicy(max_attempts=3, initial_interval=0, retry_on=(ConnectionError,))


@pytest.mark.parametrize("how", ["here", "async", "coroutine", "batch"])
@pytest.mark.parametrize("times", [0, 2, 3])
def test_retry_policies_are_honoured(how: str, times: int) -> None:
    busy, ctx, attempts = Busy(times), LocalRunnerContext(), min(times + 1, 3)

    def call() -> Any:
        if how == "here":
            return ctx.durable_execute(busy.answer, ["o-1"], retry=AT_ONCE)
        if how == "batch":
            [one] = ctx.durable_execute_all([DurableCall(busy.answer, (["o-1"],), retry=AT_ONCE)])
            if one.error is not None:
                raise one.error
            return one.value
        func = busy.answer if how == "async" else busy.answer_remotely
        return asyncio.run(_await(ctx.durable_execute_async(func, ["o-1"], retry=AT_ONCE)))

    if times == 3:
        with pytest.raises(ConnectionError, match="busy"):
            call()
    else:
        assert call() == ["o-1", "seen"], "an attempt sees nothing of the one before"
    assert busy.attempts == list(range(1, attempts + 1))


def test_what_is_unknown_is_not_tried_again() -> None:
    began: list[int] = []

    async def hangs() -> None:
        began.append(current_call().attempt)
        await asyncio.sleep(60)

    call = LocalRunnerContext().durable_execute_async(
        hangs, timeout=0.01, retry=RetryPolicy(initial_interval=0)
    )
    with pytest.raises(OutcomeUnknown):
        asyncio.run(_await(call))
    assert began == [1]


def test_it_says_once_what_it_ignores(caplog: pytest.LogCaptureFixture) -> None:
    ctx = LocalRunnerContext()
    ctx.durable_execute(len, "o-1", retry=AT_ONCE)
    assert caplog.messages == []
    for _ in range(2):
        ctx.durable_execute(len, "o-1", reconciler=lambda: 3, durability="gated")
    [told] = caplog.messages
    assert "ignores reconciler=, durability=: the fixture `durable`" in told


async def _await(awaitable: Any) -> Any:
    return await awaitable
