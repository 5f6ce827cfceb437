"""What replays find in handlers that are not the same in each run."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handler_bench import HandlerBench
from recordings import recordings
from replays import Diverged, replay_all

from pyflink_durable.runtime.execution.executors import CallExecutor


async def double(number: int) -> int:
    return 2 * number


async def reads_the_clock(value: Any, ctx: Any) -> float:
    await ctx.durable_execute_async(double, 1)
    return time.time()


async def draws_a_number(value: Any, ctx: Any) -> int:
    return await ctx.durable_execute_async(double, random.randrange(10**9))


async def reads_the_clock_for_its_path(value: Any, ctx: Any) -> None:
    for _ in range(2 + time.time_ns() % 2):
        await ctx.durable_execute_async(double, time.perf_counter())


async def has_a_mutable_default(value: Any, ctx: Any, seen: list[int] = []) -> int:  # noqa: B006
    seen.append(await ctx.durable_execute_async(double, 1))
    return len(seen)


numbers = itertools.count()


async def counts_its_runs(value: Any, ctx: Any) -> None:
    ctx.collect(next(numbers))
    await ctx.durable_execute_async(double, 1)


async def writes_what_is_not_the_same(value: Any, ctx: Any) -> None:
    ctx.state["token"] = os.urandom(8)
    await ctx.durable_execute_async(double, 1)


async def makes_more_calls_each_time(value: Any, ctx: Any) -> None:
    calls = [ctx.durable_execute_async(double, n) for n in range(1 + next(numbers))]
    await asyncio.gather(*calls)


def forgets_the_journal(value: Any, ctx: Any) -> int:
    return int(ctx.durable_execute(int, 1)) + next(numbers)


@pytest.fixture(autouse=True)
def fresh_numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(globals(), "numbers", itertools.count())
    yield


def replay(handler: Callable[..., Any], executor: CallExecutor) -> None:
    with recordings() as recorded:
        HandlerBench(handler, executor).run()
    [recording] = recorded
    replay_all(recording)


@pytest.mark.parametrize(
    ("handler", "differs"),
    [
        (reads_the_clock, "outputs"),
        (draws_a_number, "another call"),
        (reads_the_clock_for_its_path, "another call"),
        (has_a_mutable_default, "outputs"),
        (counts_its_runs, "outputs"),
        (writes_what_is_not_the_same, "state"),
        (makes_more_calls_each_time, "slots|used"),
        (forgets_the_journal, "outputs"),
    ],
)
def test_what_is_not_the_same_is_found(
    executor: CallExecutor, handler: Callable[..., Any], differs: str
) -> None:
    with pytest.raises(Diverged, match=differs):
        replay(handler, executor)


def test_what_is_the_same_is_not(executor: CallExecutor) -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        ctx.state["seen"] = value
        ctx.collect(await ctx.durable_execute_async(double, 1))
        await asyncio.sleep(0.001)
        return ctx.now(), ctx.random.random(), ctx.durable_execute(int, 7)

    replay(handler, executor)
