"""The time and random values that a handler takes: the same in every run of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bridges import Slot, own_slot
from handler_bench import HandlerBench

from pyflink_durable import LocalRunnerContext, NestedDurableCall, NotInInvocation
from pyflink_durable.runtime.execution.executors import CallExecutor

CALL, MOMENT = "CALL", "MOMENT"


def taken(ctx: Any) -> list[Any]:
    return [ctx.now(), ctx.uuid4(), ctx.random.random(), ctx.uuid4(), ctx.random.randint(0, 10**9)]


async def takes(value: Any, ctx: Any) -> list[Any]:
    return taken(ctx)


def takes_on_a_thread(value: Any, ctx: Any) -> list[Any]:
    return taken(ctx)


HANDLERS = [takes, takes_on_a_thread]


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_run_takes_the_same(handler: Callable[..., Any], executor: CallExecutor) -> None:
    bench = HandlerBench(handler, executor)
    first = bench.run()
    assert bench.again().run() == first
    assert first[1].version == 4
    assert first[1] != first[3]


@pytest.mark.parametrize("handler", HANDLERS)
def test_random_values_survive_a_lost_journal_and_the_time_does_not(
    handler: Callable[..., Any], executor: CallExecutor
) -> None:
    bench = HandlerBench(handler, executor)
    first, again = bench.run(), bench.again(slots=()).run()
    assert again[1:] == first[1:]
    assert again[0] > first[0]


@pytest.mark.parametrize("other", [("o2", "k", 3), ("orders", "l", 3), ("orders", "k", 4)], ids=str)
def test_other_invocations_take_others(other: Any, executor: CallExecutor) -> None:
    first = HandlerBench(takes, executor).run()
    second = HandlerBench(takes, executor, identity=other).run()
    assert not set(first[1:]) & set(second[1:])


def test_uuids_do_not_move_the_random_numbers(executor: CallExecutor) -> None:
    async def only_random(value: Any, ctx: Any) -> float:
        number: float = ctx.random.random()
        return number

    first = HandlerBench(takes, executor).run()
    assert HandlerBench(only_random, executor).run() == first[2]


def test_the_time_is_the_time_in_utc(executor: CallExecutor) -> None:
    before = datetime.now(timezone.utc)
    bench = HandlerBench(takes, executor)
    now = bench.run()[0]
    assert before <= now <= datetime.now(timezone.utc)
    assert now.utcoffset() == timedelta(0)
    [slot] = bench.slots
    assert (slot.kind, slot.function_id, slot.status) == (MOMENT, "", "SUCCEEDED")


def test_the_time_that_a_failure_caught_between_its_two_writes_is_taken_anew(
    executor: CallExecutor,
) -> None:
    slots = [own_slot(MOMENT, due=1_000)]
    bench = HandlerBench(takes_on_a_thread, executor, slots=slots)
    assert bench.run()[0].year > 2000
    assert bench.statuses == ["SUCCEEDED"]


def test_the_time_has_its_place_among_the_calls(executor: CallExecutor) -> None:
    async def handler(value: Any, ctx: Any) -> list[Any]:
        before = ctx.now()
        await ctx.durable_execute_async(str, 1)
        return [before, ctx.now()]

    bench = HandlerBench(handler, executor)
    first = bench.run()
    assert [slot.kind for slot in bench.slots] == [MOMENT, CALL, MOMENT]
    # the failure came before the last of them was safe
    again = bench.again(slots=bench.slots[:2]).run()
    assert again[0] == first[0]
    assert again[1] > first[1]


def test_another_call_in_its_place_is_a_mismatch(executor: CallExecutor) -> None:
    slots = [Slot(name, "2:0", "SUCCEEDED", repeatable=1) for name in ("charge", "refund")]
    bench = HandlerBench(takes, executor, slots=slots)
    bench.run()
    assert [slot.kind for slot in bench.slots] == [MOMENT]
    assert bench.telemetry.counters["mismatched"] == 1


@pytest.mark.parametrize("take", ["now", "uuid4", "random"])
@pytest.mark.parametrize("form", ["sync", "pool", "def"])
def test_none_is_taken_inside_a_call_which_a_replay_does_not_run(
    take: str, form: str, executor: CallExecutor
) -> None:
    def call(ctx: Any) -> None:
        value = getattr(ctx, take)
        value()

    async def handler(value: Any, ctx: Any) -> None:
        if form == "sync":
            ctx.durable_execute(lambda: call(ctx))
        await ctx.durable_execute_async(lambda: call(ctx))

    def handler_on_a_thread(value: Any, ctx: Any) -> None:
        ctx.durable_execute(lambda: call(ctx))

    bench = HandlerBench(handler_on_a_thread if form == "def" else handler, executor)
    with pytest.raises(NestedDurableCall, match=rf"ctx\.{take}.* inside a durable call"):
        bench.run()
    assert bench.statuses == ["FAILED"]


def test_the_time_is_not_told_after_the_end(executor: CallExecutor) -> None:
    bench = HandlerBench(takes, executor)
    bench.run()
    with pytest.raises(NotInInvocation):
        bench.ctx.now()


def test_a_local_context_gives_plain_ones() -> None:
    ctx = LocalRunnerContext()
    now, first, _, second, _ = taken(ctx)
    assert now.tzinfo is timezone.utc
    assert first != second
    assert first.version == 4
