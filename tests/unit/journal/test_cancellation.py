"""Cancellation by a signal: at the same point in every run, with amends, and told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    RunnerContext,
    Signal,
    SignalTimedOut,
)
from pyflink_durable.testing import Case, Durable, Plan, SentSignal, StillWaiting, crash_points

DAY = 86_400.0


class Shop:
    """What has happened outside."""

    def __init__(self) -> None:
        self.charged: list[str] = []
        self.refunded: list[str] = []

    def charge(self, order: str) -> None:
        self.charged.append(order)

    def refund(self, order: str) -> None:
        self.refunded.append(order)

    def clear(self) -> None:
        self.charged.clear()
        self.refunded.clear()


shop = Shop()


def charge(order: str) -> None:
    shop.charge(order)


def refund(order: str) -> None:
    shop.refund(order)


def _was_charged() -> Any:
    return None if shop.charged else NOT_EXECUTED


def _was_refunded() -> Any:
    return None if shop.refunded else NOT_EXECUTED


@pytest.fixture(autouse=True)
def empty_shop() -> None:
    shop.clear()


async def sells(order: str, ctx: RunnerContext) -> str:
    await ctx.durable_execute_async(charge, order, reconciler=_was_charged)
    try:
        return f"{order}: {await ctx.wait_for_signal('delivered', timeout=7 * DAY)}"
    except asyncio.CancelledError:
        await ctx.durable_execute_async(refund, order, reconciler=_was_refunded)
        raise


def test_a_cancelled_handler_makes_amends_and_its_input_is_a_dead_letter(durable: Durable) -> None:
    with durable.start(sells, "o-1", key="ann") as run:
        durable.advance(hours=1)  # it is parked by now
        run.signal(Signal.cancel(0, "the customer has called"))
        assert run.done
        assert (shop.charged, shop.refunded) == (["o-1"], ["o-1"])
        assert run.outputs == []
        [letter] = run.dead_letters
    assert (letter.key, letter.value, letter.reason) == ("ann", "o-1", "cancelled")
    assert (letter.error_type, letter.message) == ("CancelledError", "the customer has called")
    names = [call.function_id.rpartition(".")[2] for call in letter.calls]
    assert names == ["charge", "signal delivered", "cancellation", "refund"]
    assert run.counters["cancelled"] == 1
    assert run.counters["deadLetters"] == 0


def test_it_goes_on_with_the_next_input_of_the_key(durable: Durable) -> None:
    durable.signal(Signal.cancel(1), after=5)
    durable.signal(Signal.cancel(0), after=10)
    durable.signal("delivered", "yes", after=20)
    run = durable.run_all(sells, ["o-1", "o-2", "o-3"])
    # the second one was cancelled before it began
    assert [letter.value for letter in run.dead_letters] == ["o-1", "o-2"]
    assert run.outputs == ["o-3: yes"]


def test_one_that_comes_before_the_handler_strikes_at_its_first_wait(durable: Durable) -> None:
    durable.signal(Signal.cancel(0))
    run = durable.run(sells, "o-1")
    assert [letter.reason for letter in run.dead_letters] == ["cancelled"]
    assert shop.charged in ([], ["o-1"])


def test_a_handler_that_returns_has_ended_as_any_other(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> str:
        try:
            await ctx.wait_for_signal("delivered")
        except asyncio.CancelledError:
            ctx.state["cancelled"] = True
        return "cancelled"

    durable.signal(Signal.cancel(0), after=60)
    run = durable.run(handle, "o-1")
    assert (run.outputs, run.state, run.dead_letters) == (["cancelled"], {"cancelled": True}, [])


@pytest.mark.parametrize("on_error", ["fail", "dead-letter"])
def test_amends_that_fail_are_a_failure_of_the_handler(durable: Durable, on_error: Any) -> None:
    async def handle(order: str, ctx: RunnerContext) -> None:
        try:
            await ctx.wait_for_signal("delivered")
        except asyncio.CancelledError:
            raise ValueError("no refund") from None

    durable.signal(Signal.cancel(0), after=60)
    options = DurableOptions(on_error=on_error)
    if on_error == "fail":
        with pytest.raises(ValueError, match="no refund"):
            durable.run(handle, "o-1", options=options)
    else:
        [letter] = durable.run(handle, "o-1", options=options).dead_letters
        assert (letter.reason, letter.message) == ("failed", "no refund")


def test_a_handler_that_cancels_itself_was_not_cancelled(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        durable.run(handle, "o-1")


def test_its_other_tasks_and_calls_under_way_are_given_up(durable: Durable) -> None:
    ended: list[str] = []

    async def waits(name: str, ctx: RunnerContext) -> None:
        try:
            await ctx.sleep(DAY)
        finally:
            ended.append(name)

    async def handle(order: str, ctx: RunnerContext) -> None:
        both = asyncio.gather(waits("a", ctx), waits("b", ctx))
        await asyncio.wait_for(both, 3 * DAY)

    durable.signal(Signal.cancel(0, "why"), after=5)
    run = durable.run(handle, "o-1")
    assert [letter.message for letter in run.dead_letters] == ["why"]
    assert ended == ["a", "b"]


def test_one_that_has_ended_cannot_be_cancelled(durable: Durable) -> None:
    durable.signal("delivered", "yes")
    with durable.start(sells, "o-1") as run:
        assert run.done
        run.signal(Signal.cancel(0))
        assert [one.reason for one in run.unclaimed_signals] == ["its invocation has ended"]


def test_a_def_handler_cannot_be_cancelled(durable: Durable) -> None:
    def handle(order: str, ctx: RunnerContext) -> str:
        ctx.durable_execute(charge, order)
        return order

    durable.signal(Signal.cancel(0))
    run = durable.run(handle, "o-1")
    assert run.outputs == ["o-1"]
    assert [one.reason for one in run.unclaimed_signals] == ["cannot be cancelled"]


def test_a_second_one_strikes_no_amends(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> None:
        try:
            await ctx.wait_for_signal("delivered")
        finally:
            await ctx.sleep(60)
            await ctx.durable_execute_async(refund, order)

    for after in (5, 10):
        durable.signal(Signal.cancel(0), after=after)
    run = durable.run(handle, "o-1")
    assert shop.refunded == ["o-1"]
    assert [letter.reason for letter in run.dead_letters] == ["cancelled"]
    assert len(run.unclaimed_signals) == 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Signal.cancel(None), "is for one invocation"),  # type: ignore[arg-type]
        (lambda: Signal.cancel(0, 7), "is a str, not 7"),  # type: ignore[arg-type]
        (lambda: Signal.cancel(True), "must be a str or an int"),
    ],
)
def test_what_cancels_nothing_is_refused(make: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        make()


# -------------------------------------------------------------------- every run


@crash_points(sells, ["o-1"], levels=["gated", "write-ahead"], crashes=2)
def test_every_crash_around_a_cancellation(case: Case) -> None:
    shop.clear()
    case.signal(Signal.cancel(0, "why"), after=60)
    run = case.run()
    assert [letter.message for letter in run.dead_letters] == ["why"], case
    assert shop.charged == shop.refunded == ["o-1"], case
    assert (run.outputs, run.unclaimed_signals) == ([], []), case


async def races(order: str, ctx: RunnerContext) -> str:
    try:
        first = await ctx.wait_for_signal("delivered", timeout=60)
    except SignalTimedOut:
        first = "late"
    except asyncio.CancelledError:
        first = "cancelled"
    try:
        await ctx.sleep(30)
        return f"{first} slept"
    except asyncio.CancelledError:
        return f"{first} cancelled"


@pytest.mark.parametrize("after", [0, 29, 58, 60, 88, 91])
@pytest.mark.parametrize("crashes", [(), ((3, 0),), ((4, 1), (2, 0)), ((5, 0),), ((7, 0),)])
def test_it_strikes_at_one_point_in_every_run(after: int, crashes: Any) -> None:
    signals = [
        SentSignal(Signal("delivered", "yes"), after=59),
        SentSignal(Signal.cancel(0), after=after),
    ]
    expected = Plan(level="write-ahead").run(races, ["o-1"], signals=signals).outputs
    plan = Plan(level="write-ahead", crashes=crashes)
    assert plan.run(races, ["o-1"], signals=signals).outputs == expected


def test_a_cancelled_run_is_replayed(durable: Durable) -> None:
    durable.signal(Signal.cancel(0), after=60)
    durable.run(races, "o-1", always_replay=True)


def test_a_handler_that_has_become_another_one_is_found(durable: Durable) -> None:
    with durable.start(races, "o-1") as run:
        run.signal(Signal.cancel(0))
        journal = run.journal

    async def changed(order: str, ctx: RunnerContext) -> None:
        await ctx.sleep(5)

    from pyflink_durable import JournalMismatch

    with pytest.raises(JournalMismatch):
        durable.replay(changed, journal)


def test_one_that_waits_for_nothing_else_is_waited_for(durable: Durable) -> None:
    with pytest.raises(StillWaiting):
        durable.run(_waits_for_ever, "o-1")


async def _waits_for_ever(order: str, ctx: RunnerContext) -> None:
    await ctx.wait_for_signal("never")
