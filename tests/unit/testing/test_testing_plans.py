"""The testing kit: plans of crashes and of races, drawn by hypothesis."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from hypothesis import find, given, settings

import pyflink_durable.testing as kit
from pyflink_durable import NOT_EXECUTED, DurableOptions, RunnerContext
from pyflink_durable.testing import Plan, Stub, strategies

booked: list[str] = []


def ask_north(order: str) -> str:
    return "north"


def ask_south(order: str) -> str:
    return "south"


def book(order: str, carrier: str) -> str:
    booked.append(carrier)
    return f"{carrier} took {order}"


def find_booking(order: str) -> Any:
    return f"north took {order}" if booked else NOT_EXECUTED


async def handle(order: str, ctx: RunnerContext) -> str:
    """Books the carrier that answers first; its author has forgotten one in doubt."""
    asked = [
        asyncio.create_task(ctx.durable_execute_async(ask, order)) for ask in (ask_north, ask_south)
    ]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    carrier = next(one.result() for one in asked if one in done)
    await asyncio.wait(asked)
    if carrier == "north":
        return await ctx.durable_execute_async(
            book, order, carrier, reconciler=lambda: find_booking(order)
        )
    return await ctx.durable_execute_async(book, order, carrier)


def books_twice(plan: Plan) -> bool:
    booked.clear()
    plan.run(handle, ["o-1"])
    return len(booked) > 1


def test_the_one_order_and_the_one_crash_that_book_twice_are_found() -> None:
    plan = find(
        strategies.plans(levels=["gated"]),
        books_twice,
        settings=settings(derandomize=True, max_examples=2_000, database=None),
    )
    assert (plan.level, len(plan.crashes), plan.order) == ("gated", 1, (1,))
    assert not books_twice(Plan("gated", plan.crashes))
    assert not books_twice(Plan("gated", order=plan.order))
    assert books_twice(eval(repr(plan))), "what a failure prints runs the same again"


def test_a_failing_test_prints_its_plan_and_the_crash() -> None:
    @settings(derandomize=True, max_examples=2_000, database=None, report_multiple_bugs=False)
    @given(plan=strategies.plans(levels=["gated"]))
    def test_booking(plan: Plan) -> None:
        assert not books_twice(plan)

    with pytest.raises(AssertionError) as failed:
        test_booking()
    if sys.version_info >= (3, 11):
        notes = "\n".join(failed.value.__notes__)
        assert "plan=Plan(level='gated', crashes=((" in notes
        assert "crash: during of " in notes and ".book, input 0" in notes


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_the_order_says_which_of_the_calls_that_race_is_first(number: int) -> None:
    booked.clear()
    run = Plan(order=(number,)).run(handle, ["o-1"])
    carrier = ("north", "south")[number % 2]
    assert (run.outputs, booked) == ([f"{carrier} took o-1"], [carrier])


def test_a_crash_that_a_run_does_not_come_to_is_left_out() -> None:
    booked.clear()
    run = Plan(crashes=((2, 0), (1_000, 0))).run(handle, ["o-1"])
    assert (run.crashes, len(run.outputs)) == (1, 1)


def test_the_last_checkpoint_is_as_old_as_the_plan_says() -> None:
    replayed = []
    for older in (0, 1, 1_000):
        booked.clear()
        run = Plan(crashes=((7, older),)).run(handle, ["o-1"])
        assert run.crashes == 1
        replayed.append(sum(call.replayed for call in run.calls))
    assert replayed[0] >= replayed[1] >= replayed[2] == 0 < replayed[0]


def test_inputs_keys_state_and_stubs_go_the_way_of_a_run() -> None:
    async def count(order: str, ctx: RunnerContext) -> str:
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        return await ctx.durable_execute_async(ask_north, order)

    run = Plan("write-ahead", crashes=((1, 0),)).run(
        count,
        ["a1", "a2", "b1"],
        key=lambda order: order[0],
        state={"n": 5},
        options=DurableOptions(on_error="dead-letter"),
        stubs=[Stub(ask_north, returns="stub")],
    )
    assert (run.outputs, run.crashes) == (["stub"] * 3, 1)
    assert (run.state_of("a"), run.state_of("b")) == ({"n": 7}, {"n": 6})


def test_bounds_of_a_plan_are_checked() -> None:
    for wrong in ({"crashes": -1}, {"places": 0}, {"races": -1}, {"levels": []}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            strategies.plans(**wrong)  # type: ignore[arg-type]


def test_without_hypothesis_the_message_says_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ModuleNotFoundError, match=r"pyflink-durable\[testing\]"):
        strategies.plans()


def test_all_names_of_the_kit_are_there() -> None:
    assert sorted(kit.__all__) == sorted(kit._MODULES)
    assert all(getattr(kit, name).__name__ == name for name in kit.__all__ if name != "When")
    assert {"Plan", "Stub", "crash_points", "Durable"} <= set(kit.__all__)


def test_a_plan_s_run_is_replayed_from_each_step_if_asked_for() -> None:
    seen: list[str] = []

    async def counts(order: str, ctx: RunnerContext) -> None:
        seen.append(order)
        await ctx.durable_execute_async(ask_north, str(len(seen)))

    Plan().run(counts, ["o-1"])
    with pytest.raises(kit.NotDeterministic):
        Plan().run(counts, ["o-1"], always_replay=True)
