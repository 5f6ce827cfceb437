"""What still runs when a loop is closed ends there: the garbage collector finds nothing to end."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from handler_bench import ByHand, HandlerBench

from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.loop.leftovers import CANCELLATIONS


def close(bench: HandlerBench) -> None:
    """As the end of a task does."""
    bench.runner.close(float("inf"))
    bench.operator.loop.close()


def test_what_its_clean_up_waits_for_does_not_keep_a_handler() -> None:
    seen: list[str] = []

    async def handler(value: Any, ctx: Any) -> None:
        for name in ("first", "second"):
            try:
                try:
                    await asyncio.sleep(10)
                finally:
                    await ctx.durable_execute_async(str, "the context has ended")
            except Exception:  # instead of the cancellation
                seen.append(name)
        await asyncio.create_task(tells("in a task", seen))

    bench = HandlerBench(handler, ByHand()).start()
    close(bench)
    assert seen == ["first", "second", "in a task"]
    assert len(bench.ended) == 1


async def tells(what: str, seen: list[str]) -> None:
    seen.append(what)


@pytest.mark.parametrize("level", ["handler", "task"])
def test_one_that_catches_each_cancellation_is_closed(level: str) -> None:
    caught: list[str] = []

    async def stays() -> None:
        try:
            while True:
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    caught.append("again")
        finally:
            caught.append("closed")

    async def handler(value: Any, ctx: Any) -> None:
        await (stays() if level == "handler" else asyncio.create_task(stays()))

    bench = HandlerBench(handler, ByHand()).start()
    close(bench)
    assert caught == ["again"] * (1 + CANCELLATIONS) + ["closed"]


@pytest.mark.one_run("the other's outcome is what the collector would change")
def test_what_an_old_attempt_has_left_does_nothing_in_the_midst_of_another() -> None:
    """Its ``finally`` blocks would wait on the other's loop, in slots of the other's journal."""

    async def old(value: Any, ctx: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.sleep(1)
            finally:
                await asyncio.sleep(2)

    async def new(value: Any, ctx: Any) -> None:
        gc.collect()
        await asyncio.Event().wait()

    bench = HandlerBench(old, ByHand()).start()
    close(bench)
    del bench
    other = HandlerBench(new, ByHand()).start()
    assert other.slots == []
    close(other)


def test_one_that_awaits_where_it_is_closed_is_told() -> None:
    async def goes_on() -> None:
        left = 2
        while left:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                pass
            except GeneratorExit:
                left -= 1

    async def handler(value: Any, ctx: Any) -> None:
        await asyncio.create_task(goes_on())

    bench = HandlerBench(handler, ByHand()).start()
    close(bench)
    [problem] = bench.operator.problems
    assert "goes on when its loop is closed: RuntimeError: coroutine ignored" in problem


def test_one_that_cancels_itself_and_leaves_a_task_ends(executor: CallExecutor) -> None:
    left: list[str] = []

    async def stays() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("ended")

    async def handler(value: Any, ctx: Any) -> str:
        asyncio.create_task(stays())  # noqa: RUF006 - it is left
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "done"

    bench = HandlerBench(handler, executor)
    assert bench.run() == "done"
    assert left == ["ended"]
