"""The testing kit: crashes at every place, and what the next attempt does."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    OutcomeUnknown,
    RetryPolicy,
    RunnerContext,
)
from pyflink_durable.testing import CrashNotReached, Durable, crash
from pyflink_durable.testing.crashes import WHENS
from pyflink_durable.testing.levels import with_level


class Payments:
    """The outside of the handlers."""

    def __init__(self) -> None:
        self.charges: list[str] = []
        self.began = 0

    def charge(self, order: str) -> str:
        self.began += 1
        self.charges.append(order)
        return f"charge-{order}"

    async def charge_slowly(self, order: str) -> str:
        self.began += 1
        await asyncio.sleep(10)
        self.charges.append(order)
        return f"charge-{order}"

    def find(self, order: str) -> Any:
        return f"charge-{order}" if order in self.charges else NOT_EXECUTED


@pytest.fixture
def payments() -> Payments:
    return Payments()


@pytest.fixture(params=["async", "def", "sync in async", "coroutine"])
def handler(request: pytest.FixtureRequest, payments: Payments) -> Callable[..., Any]:
    def find(order: str) -> Callable[[], Any]:
        return lambda: payments.find(order)

    async def handle(order: str, ctx: RunnerContext) -> Any:
        charge = await ctx.durable_execute_async(
            payments.charge, order, reconciler=find(order), durable_id="charge"
        )
        await ctx.durable_execute_async(len, order)
        return charge

    async def handle_coroutine(order: str, ctx: RunnerContext) -> Any:
        charge = await ctx.durable_execute_async(
            payments.charge_slowly, order, reconciler=find(order), durable_id="charge"
        )
        await ctx.durable_execute_async(len, order)
        return charge

    def handle_in_thread(order: str, ctx: RunnerContext) -> Any:
        charge = ctx.durable_execute(
            payments.charge, order, reconciler=find(order), durable_id="charge"
        )
        ctx.durable_execute(len, order)
        return charge

    async def handle_sync(order: str, ctx: RunnerContext) -> Any:
        charge = ctx.durable_execute(
            payments.charge, order, reconciler=find(order), durable_id="charge"
        )
        ctx.durable_execute(len, order)
        return charge

    handlers = [handle, handle_in_thread, handle_sync, handle_coroutine]
    kinds = ["async", "def", "sync in async", "coroutine"]
    return handlers[kinds.index(request.param)]


@pytest.mark.parametrize(
    ("when", "began", "charged", "asked"),
    [
        ("before", 1, 1, 1),
        ("during", 2, 1, 1),
        ("after-effect", 1, 1, 1),
        ("after-outcome", 1, 1, 0),
        ("in-reconciler", 1, 1, 2),
    ],
)
def test_a_crash_with_the_newest_checkpoint(
    durable: Durable,
    payments: Payments,
    handler: Callable[..., Any],
    when: Any,
    began: int,
    charged: int,
    asked: int,
) -> None:
    if handler.__name__ == "handle_sync":  # no checkpoint comes between its start and its end
        pytest.skip("it is recorded when it has ended")
    run = durable.run(handler, "o-1", crash_at=crash("charge", when=when))
    assert run.outputs == ["charge-o-1"]
    assert len(payments.charges) == charged
    assert payments.began == began
    call = run.calls["charge"]
    assert call.asked == asked
    assert call.reconciled == (when in ("after-effect", "in-reconciler"))
    assert call.replayed == (when == "after-outcome")
    assert run.crashes == (2 if when == "in-reconciler" else 1)


@pytest.mark.parametrize("when", ["after-effect", "after-outcome"])
def test_at_the_checkpoint_level_an_older_checkpoint_has_the_call_run_again(
    durable: Durable, payments: Payments, handler: Callable[..., Any], when: Any
) -> None:
    run = durable.run(handler, "o-1", crash_at=crash("charge", when=when, checkpoint="oldest"))
    assert payments.charges == ["o-1", "o-1"]
    assert run.outputs == ["charge-o-1"]
    assert run.calls["charge"].asked == 0


ELSEWHERE = ("between-attempts", "waiting", "signal-arrived", "parked")
"""Places that these handlers do not come to."""


@pytest.mark.parametrize("level", ["gated", "write-ahead"])
@pytest.mark.parametrize("when", [when for when in WHENS if when not in ELSEWHERE])
@pytest.mark.parametrize("checkpoint", ["newest", "oldest"])
def test_at_the_other_levels_no_call_is_repeated(
    durable: Durable,
    payments: Payments,
    handler: Callable[..., Any],
    level: Any,
    when: Any,
    checkpoint: Any,
) -> None:
    if handler.__name__ == "handle_sync" or (when == "at-gate" and level == "write-ahead"):
        pytest.skip("nothing of the kind")
    call = None if when == "after-handler" else "charge"
    plan = crash(call, when=when, checkpoint=checkpoint)
    run = durable.run(handler, "o-1", crash_at=plan, options=with_level(None, level))
    assert payments.charges == ["o-1"]
    assert run.outputs == ["charge-o-1"]
    assert run.crashes >= 1


def test_outputs_and_state_behind_the_checkpoint_are_rolled_back(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> int:
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        return value

    for checkpoint in ("newest", "oldest"):
        plan = crash(when="after-handler", occurrence=2, checkpoint=checkpoint)  # type: ignore[arg-type]
        run = durable.run_all(handle, [1, 2, 3], crash_at=plan)
        assert run.outputs == [1, 2, 3]
        assert run.state == {"n": 3}


def test_a_crash_between_attempts_leaves_the_pause_as_it_was(
    durable: Durable, payments: Payments
) -> None:
    async def handle(order: str, ctx: RunnerContext) -> str:
        policy = RetryPolicy(max_attempts=3, initial_interval=3_600.0, jitter=0.0)
        return await ctx.durable_execute_async(payments.charge, order, retry=policy)

    stub = durable.stub("charge", side_effect=[ValueError("busy"), "charged"])
    before = durable.now
    run = durable.run(handle, "o-1", crash_at=crash("charge", when="between-attempts"))
    assert run.outputs == ["charged"]
    assert len(stub.calls) == 2
    assert (durable.now - before).total_seconds() == pytest.approx(3_600.0)


def test_a_call_in_doubt_without_a_reconciler(durable: Durable, payments: Payments) -> None:
    async def handle(order: str, ctx: RunnerContext) -> str:
        try:
            return await ctx.durable_execute_async(payments.charge, order, in_doubt="raise")
        except OutcomeUnknown as unknown:
            return unknown.reason

    run = durable.run(handle, "o-1", crash_at=crash(payments.charge, when="after-effect"))
    assert run.outputs == ["failure"]
    run = durable.run(
        handle,
        "o-1",
        options=DurableOptions(),
        crash_at=[
            crash(payments.charge, when="after-effect"),
            crash(when="after-handler", checkpoint="newest"),
        ],
    )
    assert run.crashes == 2


def test_a_place_that_is_not_reached_is_told_with_those_that_are(
    durable: Durable, payments: Payments
) -> None:
    async def handle(order: str, ctx: RunnerContext) -> str:
        return await ctx.durable_execute_async(payments.charge, order)

    with pytest.raises(CrashNotReached, match=r"crash\(\"refund\".*before .*charge.*after-handler"):
        durable.run(handle, "o-1", crash_at=crash("refund", when="before"))


def test_crashes_are_checked_when_they_are_named() -> None:
    with pytest.raises(ValueError, match="when must be one of"):
        crash("charge", when="later")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name the call"):
        crash(when="before")
    with pytest.raises(ValueError, match="name the call"):
        crash("charge", when="after-handler")
    with pytest.raises(ValueError, match="checkpoint must be"):
        crash("charge", when="before", checkpoint="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="from 1"):
        crash("charge", when="before", occurrence=0)


def test_a_crash_gives_up_what_runs(durable: Durable) -> None:
    ended: list[str] = []

    async def handle(order: str, ctx: RunnerContext) -> str:
        try:
            first = ctx.durable_execute_async(len, order)
            second = ctx.durable_execute_async(ord, "b")
            return str(await asyncio.gather(first, second))
        finally:
            ended.append("finally")

    run = durable.run(handle, "o-1", crash_at=crash("len", when="after-effect"))
    assert run.outputs == ["[3, 98]"]
    assert ended == ["finally", "finally"]


def test_nothing_is_told_of_coroutines_that_a_crash_ends(
    durable: Durable, payments: Payments, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(order: str, ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(payments.charge_slowly, order)

    for when in ("during", "after-effect", "after-outcome"):
        durable.run(handle, "o-1", crash_at=crash(payments.charge_slowly, when=when))
    gc.collect()  # asyncio tells of an exception that nobody has seen when its task goes
    assert caplog.messages == []


def test_the_next_release_takes_over_at_the_crash(durable: Durable, payments: Payments) -> None:
    async def first(order: str, ctx: RunnerContext) -> str:
        await ctx.durable_execute_async(payments.charge, order)
        return f"first {await ctx.durable_execute_async(len, order)}"

    def second(order: str, ctx: RunnerContext) -> str:
        ctx.durable_execute(payments.charge, order)
        return f"second {ctx.durable_execute(len, order)}"

    plan = crash("charge", when="after-outcome")
    assert durable.run(first, "o-1", crash_at=plan, upgrade=second).outputs == ["second 3"]
    assert payments.charges == ["o-1"]
    with pytest.raises(ValueError, match="looks at one handler"):
        durable.run(first, "o-1", crash_at=plan, upgrade=second, always_replay=True)
