"""A handler that has changed in one place, over the journals of what was in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pyflink_durable import DurableCall, JournalMismatch, LocalRunnerContext, RunnerContext
from pyflink_durable.testing import Case, Durable, SavedJournal, crash_points

made: list[str] = []


def do(what: str) -> str:
    made.append(what)
    return what


async def old(items: list[str], ctx: RunnerContext) -> list[str]:
    """Each item has two steps; the items go side by side."""

    async def step(item: str) -> str:
        await ctx.durable_execute_async(do, f"first {item}")
        await ctx.sleep(60 * len(item))
        return await ctx.durable_execute_async(do, f"last {item}")

    return list(await asyncio.gather(*map(step, items)))


async def new(items: list[str], ctx: RunnerContext) -> list[str]:
    """There is a step more between the two."""

    async def step(item: str) -> str:
        await ctx.durable_execute_async(do, f"first {item}")
        if ctx.patched("check"):
            await ctx.durable_execute_async(do, f"check {item}")
        await ctx.sleep(60 * len(item))
        return await ctx.durable_execute_async(do, f"last {item}")

    return list(await asyncio.gather(*map(step, items)))


async def without_the_old(items: list[str], ctx: RunnerContext) -> list[str]:
    async def step(item: str) -> str:
        await ctx.durable_execute_async(do, f"first {item}")
        ctx.deprecate_patch("check")
        await ctx.durable_execute_async(do, f"check {item}")
        await ctx.sleep(60 * len(item))
        return await ctx.durable_execute_async(do, f"last {item}")

    return list(await asyncio.gather(*map(step, items)))


async def without_a_word(items: list[str], ctx: RunnerContext) -> list[str]:
    async def step(item: str) -> str:
        await ctx.durable_execute_async(do, f"first {item}")
        await ctx.durable_execute_async(do, f"check {item}")
        await ctx.sleep(60 * len(item))
        return await ctx.durable_execute_async(do, f"last {item}")

    return list(await asyncio.gather(*map(step, items)))


def new_in_thread(items: list[str], ctx: RunnerContext) -> list[str]:
    results = []
    for item in items:
        ctx.durable_execute(do, f"first {item}")
        if ctx.patched("check"):
            ctx.durable_execute(do, f"check {item}")
        results.append(ctx.durable_execute(do, f"last {item}"))
    return results


def old_in_thread(items: list[str], ctx: RunnerContext) -> list[str]:
    steps = ("first", "last")
    return [[ctx.durable_execute(do, f"{step} {item}") for step in steps][-1] for item in items]


ITEMS = ["a", "bb", "ccc"]
RESULTS = [[f"last {item}" for item in ITEMS]]


@pytest.mark.parametrize("handler", [new, new_in_thread])
def test_what_begins_now_takes_the_new_code_in_every_run(durable: Durable, handler: Any) -> None:
    run = durable.run(handler, ITEMS, always_replay=True)
    assert len(run.calls.all(do)) == 9
    assert len(run.calls) == 9, "a patch is no call"
    assert run.journal.statuses.count("SUCCEEDED") == len(run.journal)


@crash_points(new, [ITEMS[:1]], levels=["gated", "write-ahead"], always_replay=True)
def test_whatever_crashes(case: Case) -> None:
    made.clear()
    assert case.run().outputs == [RESULTS[0][:1]]
    assert "check a" in made


@pytest.mark.parametrize(
    ("first", "second"), [(old, new), (old_in_thread, new_in_thread)], ids=["async", "def"]
)
def test_wherever_the_release_strikes_all_items_take_one_way(first: Any, second: Any) -> None:
    """Decided at the first item that comes to the place, for those beside it, too."""
    checked: set[int] = set()

    @crash_points(first, [ITEMS], levels=["gated"], upgrade=second)
    def release(case: Case) -> None:
        made.clear()
        assert case.run().outputs == RESULTS, case
        checks = {what for what in made if what.startswith("check")}
        assert len(checks) in (0, 3), case
        checked.add(len(checks))

    release()
    assert checked == {0, 3}


def in_flight(durable: Durable, handler: Callable[..., Any], seconds: float) -> SavedJournal:
    with durable.start(handler, ITEMS) as run:
        durable.advance(seconds=seconds)
        assert not run.done
        return run.journal


def test_the_old_code_goes_on_where_an_item_has_gone_past(durable: Durable) -> None:
    journal = in_flight(durable, old, 70)
    assert durable.replay(new, journal).used == len(journal)
    with pytest.raises(JournalMismatch, match=r"patch.*check"):
        durable.replay(without_the_old, journal)


def test_the_old_code_may_go_when_nothing_in_flight_has_taken_it(durable: Durable) -> None:
    journal = in_flight(durable, new, 70)
    for handler in (new, without_the_old, without_a_word):
        replayed = durable.replay(handler, journal)
        assert (replayed.used, replayed.more) == (len(journal), ())


async def then_a_batch(items: list[str], ctx: RunnerContext) -> list[str]:
    await ctx.durable_execute_async(do, "first")
    ctx.patched("batch")
    outcomes = await ctx.durable_execute_all_async([DurableCall(do, (item,)) for item in items])
    await ctx.sleep(60)
    return outcomes.values()


async def only_a_batch(items: list[str], ctx: RunnerContext) -> list[str]:
    await ctx.durable_execute_async(do, "first")
    outcomes = await ctx.durable_execute_all_async([DurableCall(do, (item,)) for item in items])
    await ctx.sleep(60)
    return outcomes.values()


async def at_its_end(items: list[str], ctx: RunnerContext) -> None:
    await ctx.durable_execute_async(do, "first")
    ctx.patched("end")


async def without_its_end(items: list[str], ctx: RunnerContext) -> None:
    await ctx.durable_execute_async(do, "first")


@pytest.mark.parametrize(
    ("asks", "asks_no_more"), [(then_a_batch, only_a_batch), (at_its_end, without_its_end)]
)
def test_nobody_has_to_ask(durable: Durable, asks: Any, asks_no_more: Any) -> None:
    journal = durable.run(asks, ITEMS).journal
    assert durable.replay(asks_no_more, journal).ended
    without = durable.run(asks_no_more, ITEMS).journal
    assert len(without) == len(journal) - 1
    assert durable.replay(asks, without).ended


async def asks_twice(items: list[str], ctx: RunnerContext) -> tuple[bool, bool]:
    one, other = ctx.patched("one"), ctx.patched("other")
    await ctx.sleep(60)
    return one, other


async def asks_in_turn(items: list[str], ctx: RunnerContext) -> tuple[bool, bool]:
    other, one = ctx.patched("other"), ctx.patched("one")
    await ctx.sleep(60)
    return one, other


async def asks_late(items: list[str], ctx: RunnerContext) -> tuple[bool, bool]:
    await ctx.sleep(60)
    return ctx.patched("one"), ctx.patched("other")


def test_places_and_turns_may_change(durable: Durable) -> None:
    for first in (asks_twice, asks_in_turn, asks_late):
        journal = durable.run(first, ITEMS).journal
        for second in (asks_twice, asks_in_turn, asks_late):
            replayed = durable.replay(second, journal)
            assert replayed.ended
            if second is asks_late or first is not asks_late:
                assert replayed.emitted == ((None, (True, True)),)


def test_a_name_is_a_name(durable: Durable) -> None:
    async def handle(name: Any, ctx: RunnerContext) -> None:
        ctx.patched(name)

    for name in ("", 7, "x" * 101, "a\nb"):
        with pytest.raises(ValueError, match="a patch has a name"):
            durable.run(handle, name)


def test_a_local_context_has_nothing_in_flight() -> None:
    ctx = LocalRunnerContext()
    assert ctx.patched("check")
    ctx.deprecate_patch("check")
