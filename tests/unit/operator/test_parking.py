"""A handler that is parked is gone, as after a failure, and goes on from its journal."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from handler_bench import NUMBER, ByHand, HandlerBench
from signal_bench import SignalBench

from pyflink_durable import LocalRunnerContext, NotInInvocation, Signal


def park(bench: HandlerBench) -> list[int]:
    parked = bench.runner.park([NUMBER])
    bench.operator.loop.drain()
    return parked


async def waits(value: Any, ctx: Any) -> Any:
    first = await ctx.durable_execute_async(str, "first", durable_id="call")
    return [first, await ctx.wait_for_signal("approval")]


def started(handler: Any) -> SignalBench:
    hands = ByHand()
    bench = SignalBench(handler, hands)
    bench.start()
    hands.started["first"]("called")
    return bench.drain()


def test_it_goes_on_from_its_journal() -> None:
    bench = started(waits)
    slots = bench.slots
    assert park(bench) == [NUMBER]
    assert bench.ended == []
    assert bench.slots == slots
    bench.signal(Signal("approval", "yes"))
    assert bench.signals.left == ["yes"]  # nobody is there to take it
    assert bench.crash().answer == ["called", "yes"]


def test_nothing_of_it_is_left_in_memory() -> None:
    class Thing:
        """What the handler holds."""

    things: list[weakref.ref[Thing]] = []

    async def handler(value: Any, ctx: Any) -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        task = asyncio.create_task(asyncio.sleep(3_600))
        async with asyncio.Lock():
            await asyncio.wait([task], timeout=7_200)
        del thing

    bench = HandlerBench(handler, ByHand()).start()
    park(bench)
    gc.collect()
    assert [thing() for thing in things] == [None]
    assert bench.runner._running == {}  # type: ignore[attr-defined]
    assert bench.telemetry.counters["abandoned"] == 0


def test_its_clean_up_runs_and_makes_no_calls() -> None:
    seen: list[Any] = []

    async def handler(value: Any, ctx: Any) -> None:
        try:
            await ctx.sleep(3_600)
        finally:
            seen.append("clean-up")
            try:
                await ctx.durable_execute_async(str, "never")
            except NotInInvocation as error:
                seen.append(type(error))

    bench = HandlerBench(handler, ByHand()).start()
    slots = bench.slots
    park(bench)
    assert seen == ["clean-up", NotInInvocation]
    assert bench.slots == slots
    assert bench.ended == []


@pytest.mark.one_run
def test_a_handler_that_ends_when_it_is_dropped_has_not_ended() -> None:
    async def handler(value: Any, ctx: Any) -> str:
        ctx.collect("output")
        try:
            await ctx.sleep(3_600)
        except asyncio.CancelledError:
            return "cancelled"
        return "slept"

    bench = HandlerBench(handler, ByHand()).start()
    park(bench)
    assert bench.ended == []


def test_what_it_held_in_its_process_is_free_for_others() -> None:
    lock: list[asyncio.Lock] = []

    async def handler(value: Any, ctx: Any) -> None:
        lock.append(asyncio.Lock())
        async with lock[0]:
            await ctx.sleep(3_600)

    bench = HandlerBench(handler, ByHand()).start()
    assert lock[0].locked()
    park(bench)
    assert not lock[0].locked()


def test_it_stays_awake_as_long_as_it_says_so() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        async with ctx.stay_awake():
            async with ctx.stay_awake():
                await ctx.wait_for_signal("inner")
            await ctx.wait_for_signal("outer")
        await ctx.wait_for_signal("last")

    bench = SignalBench(handler)
    bench.start()
    assert park(bench) == []
    bench.signal(Signal("inner"))
    assert park(bench) == []
    bench.signal(Signal("outer"))
    assert park(bench) == [NUMBER]


def test_it_stays_awake_until_it_has_looked_for_signals_that_came_before() -> None:
    bench = SignalBench(waits, slots=started(waits).journal.slots)
    bench.signals.put(Signal("approval", "yes"))
    bench.start()  # its wait has begun, and the step that lets it look is to come
    assert bench.runner.park([NUMBER]) == []
    assert bench.drain().answer == ["called", "yes"]


def test_one_that_has_ended_cannot_be_parked() -> None:
    async def handler(value: Any, ctx: Any) -> str:
        return "done"

    bench = HandlerBench(handler, ByHand()).start()
    assert park(bench) == []
    assert len(bench.ended) == 1


def test_a_def_handler_is_not_parked(executor: Any) -> None:
    def handler(value: Any, ctx: Any) -> str:
        return "done"

    bench = HandlerBench(handler, executor)
    assert bench.runner.park([NUMBER]) == []
    assert bench.run() == "done"


def test_a_local_context_is_always_awake() -> None:
    async def handler(ctx: LocalRunnerContext) -> str:
        async with ctx.stay_awake():
            return "done"

    assert asyncio.run(handler(LocalRunnerContext())) == "done"
