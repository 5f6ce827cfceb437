"""Handlers that go round without waiting for anything: the step ends, and others go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from handler_bench import ByHand, HandlerBench
from loops import Clock, Operator
from virtual_time import stop_the_clock

from pyflink_durable.runtime.loop import spinning
from pyflink_durable.runtime.loop.invocation_tasks import InvocationTasks, invocation_tasks
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = stop_the_clock(monkeypatch)
    monkeypatch.setattr(spinning, "time", clock)
    monkeypatch.setattr(spinning, "ROUNDS", 100)
    monkeypatch.setattr(spinning, "ROUNDS_OF_A_LOOK", 10)
    return clock


async def spins(value: Any, ctx: Any) -> Any:
    """Polls for the end of a task, as people do."""
    task = asyncio.create_task(call(ctx, "first"))
    while not task.done():
        await asyncio.sleep(0)
    return await ctx.durable_execute_async(str, f"after {task.result()}")


async def call(ctx: Any, name: str) -> Any:
    return await ctx.durable_execute_async(str, name)


def drain(bench: HandlerBench, clock: Clock, seconds: float = 0.0) -> None:
    clock.now += seconds
    bench.operator.loop.drain()


def test_the_step_ends_and_asks_to_be_driven_on(clock: Clock) -> None:
    bench = HandlerBench(spins, ByHand()).start()
    assert bench.ended == []
    assert bench.operator.wakes == 1
    bench.operator.loop.drain()
    assert bench.operator.wakes == 2
    assert bench.statuses == ["PENDING"]


def test_nothing_is_given_to_handlers_before_it_comes_to_rest_or_is_put_aside(
    clock: Clock,
) -> None:
    """It may compute with many tasks, and a replay would be given it all at once."""
    rounds = 0

    async def computes(value: Any, ctx: Any) -> None:
        nonlocal rounds
        task = asyncio.create_task(call(ctx, "meanwhile"))
        for _ in range(500):
            await asyncio.sleep(0)
            assert not task.done()
            rounds += 1
        await task

    hands = ByHand()
    bench = HandlerBench(computes, hands).start()
    hands.started["meanwhile"]("done")
    for _ in range(3):
        drain(bench, clock)
    assert 300 < rounds < 500
    drain(bench, clock)
    drain(bench, clock)
    assert rounds == 500
    assert len(bench.ended) == 1


def test_after_seconds_it_is_put_aside_and_told_of_once(clock: Clock) -> None:
    hands, told = ByHand(), []
    bench = HandlerBench(spins, hands)
    bench.operator.loop._spinners._on_spinning = lambda callback, of: told.append(of)
    bench.start()
    drain(bench, clock, 1)
    assert told == []
    drain(bench, clock, 1.1)
    assert len(told) == 1
    assert told[0].context is bench.ctx
    wakes = bench.operator.wakes
    drain(bench, clock)
    assert bench.operator.wakes == wakes  # no mail after mail
    for _ in range(20):
        drain(bench, clock, spinning.LOOK_SECONDS * 1.1)
    assert len(told) == 1
    assert min(bench.operator.wakes_at) - clock.time() <= spinning.LOOK_SECONDS


def put_aside(clock: Clock, hands: ByHand, **options: Any) -> HandlerBench:
    bench = HandlerBench(spins, hands, **options).start()
    drain(bench, clock, 2.1)
    assert bench.operator.loop._spinners._aside
    return bench


def test_what_it_waits_for_is_given_to_it_at_once(clock: Clock) -> None:
    hands = ByHand()
    bench = put_aside(clock, hands)
    hands.started["first"]("one")
    drain(bench, clock)
    assert "after one" in hands.started
    hands.started["after one"]("two")
    drain(bench, clock)
    assert [outcome.value for outcome in bench.ended] == ["two"]
    assert bench.operator.loop._spinners._aside == []


def test_a_replay_gives_it_all_that_the_journal_holds(clock: Clock) -> None:
    hands = ByHand()
    bench = put_aside(clock, hands)
    hands.started["first"]("one")
    drain(bench, clock)
    again = bench.again().start()
    drain(again, clock)
    drain(again, clock, 2.1)
    hands.started["after one"]("two")
    drain(again, clock)
    assert [outcome.value for outcome in again.ended] == ["two"]
    assert again.telemetry.counters["mismatched"] == 0


def test_it_sees_what_no_journal_tells(clock: Clock) -> None:
    flags: list[bool] = []

    async def polls(value: Any, ctx: Any) -> str:
        while not flags:
            await asyncio.sleep(0)
        return "seen"

    bench = HandlerBench(polls, ByHand()).start()
    drain(bench, clock, 2.1)
    flags.append(True)
    drain(bench, clock, spinning.LOOK_SECONDS * 1.1)
    assert [outcome.value for outcome in bench.ended] == ["seen"]


def test_others_go_on_without_it(clock: Clock) -> None:
    operator, seen = Operator(), []

    async def handler(number: int, spins: bool) -> None:
        invocation_tasks.set(
            InvocationTasks(number, FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0)))
        )
        while spins:
            seen.append("round")
            await asyncio.sleep(0)
        await asyncio.gather(*(waits(futures[n], n) for n in range(3)))

    async def waits(future: asyncio.Future[None], n: int) -> None:
        await future
        for _ in range(3):
            seen.append(f"step of {n}")
            await asyncio.sleep(0)

    futures = [operator.loop.create_future() for _ in range(3)]
    operator.start(handler(1, True))
    clock.now += 2.1
    operator.start(handler(2, False))
    seen.clear()
    for future in futures:
        operator.loop.hand_over(future.set_result, None)
    operator.loop.drain()
    assert seen == [f"step of {n}" for n in range(3) for _ in range(3)]


def test_the_end_of_the_task_ends_it(clock: Clock) -> None:
    seen: list[str] = []

    async def handler(value: Any, ctx: Any) -> None:
        try:
            while True:
                await asyncio.sleep(0)
        finally:
            seen.append("cleaned up")

    bench = HandlerBench(handler, ByHand()).start()
    drain(bench, clock, 2.1)
    bench.runner.close(float("inf"))
    assert seen == ["cleaned up"]
    assert len(bench.ended) == 1
