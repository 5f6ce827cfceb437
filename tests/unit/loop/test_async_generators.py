"""Asynchronous generators of handlers: closed in each run at the same point, and all in the end."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from handler_bench import ByHand, HandlerBench
from loops import Clock, Operator
from virtual_time import History, stop_the_clock

from pyflink_durable import NotInInvocation


def charge(seconds: float, answer: str) -> str:
    """The executor has it take so long."""
    return answer


async def pages(ctx: Any, name: str) -> AsyncIterator[str]:
    """Opens, gives pages, and closes when it is left."""
    try:
        for page in range(3):
            yield await ctx.durable_execute_async(charge, 0.1, f"{name} page {page}")
    finally:
        await ctx.durable_execute_async(charge, 0.1, f"close {name}")


def names_of(history: History) -> list[str]:
    return [answer for answer in history.ran if answer.startswith(("close", "after"))]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stop_the_clock(monkeypatch)


def run(clock: Clock, handler: Callable[..., Any]) -> History:
    """Runs a handler, and again after a failure at each step."""
    history = History(clock, handler)
    bench = history.check_replays()
    assert bench.telemetry.counters["abandoned"] == 0
    assert bench.operator.problems == []
    history.run()
    return history


# -------------------------------------------------------------------- when


def test_one_that_is_left_is_closed_at_once(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        async for _ in pages(ctx, "a"):
            break
        await ctx.durable_execute_async(charge, 1, "after a")

    assert names_of(run(clock, handler)) == ["close a", "after a"]


def test_what_it_has_locked_is_free_again(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        lock = asyncio.Lock()

        async def locked() -> AsyncIterator[int]:
            async with lock:
                yield 1
                await ctx.durable_execute_async(charge, 1, "never")

        async for _ in locked():
            break
        async with lock:
            await ctx.durable_execute_async(charge, 1, "after")

    assert run(clock, handler).ran == ["after"]


def test_one_that_is_left_in_the_last_line_is_closed_and_not_abandoned(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        async for page in pages(ctx, "a"):
            return page
        return "none"

    history = run(clock, handler)
    assert history.ran == ["a page 0", "close a"]


def test_those_that_are_still_known_are_closed_in_the_end_in_the_order_of_their_begin(
    clock: Clock,
) -> None:
    known: list[Any] = []

    async def handler(value: Any, ctx: Any) -> None:
        known[:] = [pages(ctx, name) for name in "abcde"]
        for begun in (3, 0, 4, 1):
            await known[begun].__anext__()
        known.reverse()
        await ctx.durable_execute_async(charge, 1, "after all")

    closed = [f"close {name}" for name in "daeb"]
    assert names_of(run(clock, handler)) == ["after all", *closed]


@pytest.mark.parametrize("collects_on", [None, "handler", "other thread"])
def test_one_that_waits_for_the_garbage_collector_is_closed_in_the_end(
    clock: Clock, collects_on: str | None
) -> None:
    """Whether it was run at all, and where, makes no difference."""

    async def handler(value: Any, ctx: Any) -> None:
        for name in "ab":
            generator = pages(ctx, name)
            await generator.__anext__()
            cycle: list[Any] = [generator]
            cycle.append(cycle)
            del generator, cycle
        if collects_on == "handler":
            gc.collect()
        elif collects_on is not None:
            thread = threading.Thread(target=gc.collect)
            thread.start()
            thread.join()
        await ctx.durable_execute_async(charge, 1, "after both")

    gc.disable()
    gc.freeze()  # each replay collects: what other tests have left would be looked at each time
    try:
        history = run(clock, handler)
    finally:
        gc.unfreeze()
        gc.enable()
    assert names_of(history) == ["after both", "close a", "close b"]


def test_those_of_another_handler_that_the_collector_finds_are_closed_with_their_own(
    clock: Clock,
) -> None:
    hands = ByHand()
    closed: list[str] = []

    async def forgets(value: Any, ctx: Any) -> None:
        async def one() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                closed.append("closed")

        cycle: list[Any] = [one()]
        await cycle[0].__anext__()
        cycle.append(cycle)
        del cycle
        await ctx.durable_execute_async(str, "go")

    bench = HandlerBench(forgets, hands).start()
    gc.collect()
    bench.operator.loop.run_until_idle()
    assert closed == []
    hands.started["go"]("on")
    bench.operator.loop.drain()
    assert closed == ["closed"]
    assert len(bench.ended) == 1


def test_what_a_generator_begins_while_it_is_closed_is_closed_too(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        async def outer() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                kept.append(pages(ctx, "inner"))
                await kept[-1].__anext__()

        kept: list[Any] = [outer()]
        await kept[0].__anext__()

    assert names_of(run(clock, handler)) == ["close inner"]


# -------------------------------------------------------------------- errors


@pytest.mark.parametrize("left", ["at once", "in the end"])
def test_a_close_that_fails_fails_the_handler(left: str) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        async def one() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                raise ValueError("not closed")

        generator = one()
        await generator.__anext__()
        if left == "at once":
            del generator
            await asyncio.sleep(0)
        return "done"

    bench = HandlerBench(handler, ByHand())
    with pytest.raises(ValueError, match="not closed"):
        bench.run()


def test_it_does_not_hide_the_handlers_own_error_and_is_reported() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        async def one(name: str) -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                raise ValueError(f"{name} not closed")

        generators = [one("first"), one("second")]
        for generator in generators:
            await generator.__anext__()
        raise KeyError("own")

    bench = HandlerBench(handler, ByHand())
    with pytest.raises(KeyError, match="own"):
        bench.run()
    assert [problem.split(": ", 1)[1] for problem in bench.operator.problems] == [
        "an asynchronous generator failed while it was closed: ValueError: first not closed",
        "an asynchronous generator failed while it was closed: ValueError: second not closed",
    ]


def test_one_that_goes_on_when_it_is_closed_is_an_error() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        async def goes_on() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                yield 2

        generator = goes_on()
        await generator.__anext__()

    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        HandlerBench(handler, ByHand()).run()


# -------------------------------------------------------------------- the end of the task


def test_the_end_of_the_task_closes_them_and_makes_no_call() -> None:
    seen: list[Any] = []

    async def handler(value: Any, ctx: Any) -> None:
        async def one() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                try:
                    await ctx.durable_execute_async(str, "close")
                except NotInInvocation as error:
                    seen.append(type(error))

        generator = one()
        await generator.__anext__()
        await asyncio.Event().wait()

    bench = HandlerBench(handler, ByHand()).start()
    bench.runner.close(float("inf"))
    assert seen == [NotInInvocation]
    assert bench.slots == []


def test_the_thread_has_the_hooks_that_it_had() -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        return sys.get_asyncgen_hooks()

    before = sys.get_asyncgen_hooks()
    assert HandlerBench(handler, ByHand()).run() != before
    assert sys.get_asyncgen_hooks() == before


def test_the_collector_tells_nobody_when_the_loop_is_closed() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        async def one() -> AsyncIterator[int]:
            yield 1

        async for _ in one():
            pass

    gc.collect()  # loops of other tests
    callbacks = list(gc.callbacks)
    bench = HandlerBench(handler, ByHand()).start()
    assert len(gc.callbacks) == len(callbacks) + 1
    bench.operator.loop.close()
    assert gc.callbacks == callbacks


def test_outside_of_invocations_they_are_closed_as_asyncio_does() -> None:
    closed: list[int] = []

    async def one() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(1)

    async def coroutine() -> None:
        async for _ in one():
            break

    operator = Operator()
    operator.run(coroutine())
    operator.loop.drain()
    assert closed == [1]


def test_thousands_that_have_ended_are_forgotten() -> None:
    known: list[int] = []

    async def handler(value: Any, ctx: Any) -> None:
        async def one() -> AsyncIterator[int]:
            yield 1

        kept = one()
        await kept.__anext__()
        for _ in range(10_000):
            async for _ in one():
                pass
        known.append(len(bench.operator.loop._generators._owners))

    bench = HandlerBench(handler, ByHand())
    bench.run()
    assert known[0] < 100
    assert bench.operator.loop._generators._owners == {}
