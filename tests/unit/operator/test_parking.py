"""A handler that is parked is gone, as after a failure, and goes on from its journal."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest
from handler_bench import NUMBER, ByHand, HandlerBench
from signal_bench import SignalBench

from pyflink_durable import LocalRunnerContext, NotInInvocation, RetryPolicy, Signal
from pyflink_durable.runtime.journal.times import NEVER


def park(bench: HandlerBench) -> list[Any]:
    parked = bench.runner.park([NUMBER])
    bench.operator.loop.drain()
    return parked


def seconds_until(due: Any) -> float:
    """From now to a time in the journal."""
    return float(due) / 1000 - time.time()


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
    assert park(bench) == [NUMBER, NEVER, ("approval",)]
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
    assert park(bench) == [NUMBER, NEVER, ("last",)]


def test_it_tells_what_it_waits_for_and_not_what_it_has_given_up() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        timeout = asyncio.get_running_loop().call_later(60, print)
        over = asyncio.get_running_loop().call_later(0.001, print)
        await asyncio.sleep(0.01)
        timeout.cancel()
        over.cancel()
        waits = [ctx.wait_for_signal("a", 7_200), ctx.wait_for_signal("b"), ctx.sleep(3_600)]
        await asyncio.gather(*waits)

    bench = SignalBench(handler)
    bench.start()
    bench.operator.drain_until(lambda: len(bench.slots) == 6)
    bench.drain()
    number, due, signals = park(bench)
    assert number == NUMBER
    assert 3_500 < seconds_until(due) <= 3_600
    assert signals == ("a", "b")


def test_a_pause_before_another_attempt_is_a_wait() -> None:
    retry = RetryPolicy(max_attempts=2, initial_interval=600, max_interval=600, jitter=0)

    async def handler(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(str, "x", durable_id="call", retry=retry)

    hands = ByHand()
    bench = HandlerBench(handler, hands).start()
    hands.started["x"](OSError("down"))
    bench.operator.loop.drain()
    number, due, signals = park(bench)
    assert (number, signals) == (NUMBER, ())
    assert 500 < seconds_until(due) <= 600


def test_it_stays_awake_if_it_waits_for_what_is_not_journaled_or_for_a_moment() -> None:
    async def for_others(value: Any, ctx: Any) -> None:
        asyncio.get_running_loop().call_later(60, print).cancel()
        await asyncio.Event().wait()

    async def for_a_moment(value: Any, ctx: Any) -> None:
        await ctx.sleep(0.9)

    for handler in (for_others, for_a_moment):
        assert park(HandlerBench(handler, ByHand()).start()) == []


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
