"""What a handler makes and never awaits: it fails, and names the line."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from handler_bench import HandlerBench
from host_bench import Task

from pyflink_durable import CallNotAwaited, DurableCall, HandlerFailed
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.tools import ToolRegistry, ToolRequestEvent, call_tools

NewTask = Callable[..., Task]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*never awaited:RuntimeWarning",
    "ignore:.*never awaited:pytest.PytestUnraisableExceptionWarning",
)


async def forgets_a_call(value: Any, ctx: Any) -> str:
    ctx.durable_execute_async(str, 1)  # this line
    return "charged"


async def keeps_a_call(value: Any, ctx: Any) -> str:
    kept = ctx.durable_execute_async(str, 1)  # this line
    return f"charged {kept is None}"


async def forgets_one_of_many(value: Any, ctx: Any) -> str:
    await ctx.durable_execute_async(str, 1)
    ctx.durable_execute_async(str, 2)  # this line
    return await ctx.durable_execute_async(str, 3)


async def forgets_a_batch(value: Any, ctx: Any) -> str:
    ctx.durable_execute_all_async([DurableCall(str, (1,))])  # this line
    return "charged"


async def forgets_a_pause(value: Any, ctx: Any) -> str:
    ctx.sleep(5)  # this line
    return "charged"


async def forgets_in_a_task(value: Any, ctx: Any) -> str:
    async def part() -> str:
        ctx.durable_execute_async(str, 1)  # this line
        return "charged"

    return await asyncio.create_task(part())


async def forgets_its_tools(value: Any, ctx: Any) -> str:
    call_tools(ctx, ToolRegistry(), ToolRequestEvent(tool_calls=()))  # this line
    return "charged"


FORGETFUL = [forgets_a_call, keeps_a_call, forgets_one_of_many, forgets_a_batch]
FORGETFUL += [forgets_a_pause, forgets_in_a_task, forgets_its_tools]


@pytest.mark.parametrize("handler", FORGETFUL)
def test_the_handler_fails_and_names_the_line(executor: CallExecutor, handler: Any) -> None:
    bench = HandlerBench(handler, executor)
    with pytest.raises(CallNotAwaited) as caught:
        bench.run()
    gc.collect()
    lines, first = inspect.getsourcelines(handler)
    [number] = [n for n, line in enumerate(lines, first) if "# this line" in line]
    [call] = caught.value.calls
    assert f"{__file__}:{number} in " in call
    assert "write `await` in front of it" in str(caught.value)


@pytest.mark.parametrize("handler", [forgets_a_batch, forgets_a_pause, forgets_its_tools])
def test_nothing_of_it_is_left_to_the_garbage_collector(
    executor: CallExecutor, handler: Any
) -> None:
    gc.collect()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(CallNotAwaited):
            HandlerBench(handler, executor).run()
        gc.collect()
    assert [one for one in told if "never awaited" in str(one.message)] == []


def test_each_of_them_is_named(executor: CallExecutor) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        ctx.gather(ctx.durable_execute_async(str, 1), ctx.durable_execute_async(int, 1))

    with pytest.raises(CallNotAwaited) as caught:
        HandlerBench(handler, executor).run()
    gc.collect()
    names = [call.split(" of ")[0] for call in caught.value.calls]
    assert names == ["builtins.str", "builtins.int", "ctx.gather"]


def test_its_own_error_stands(executor: CallExecutor) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        ctx.durable_execute_async(str, 1)
        raise ValueError("unknown order")

    with pytest.raises(ValueError, match="unknown order"):
        HandlerBench(handler, executor).run()
    gc.collect()


def cancelled_by_hand(ctx: Any) -> Any:
    ctx.durable_execute_async(str, 1).cancel()
    return asyncio.sleep(0)


def a_task_that_never_starts(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def program(ctx: Any) -> None:
        task = asyncio.create_task(make(ctx))
        task.cancel()
        await asyncio.wait([task])

    return program


MADE: dict[str, Callable[[Any], Any]] = {
    "call": lambda ctx: ctx.durable_execute_async(str, 1),
    "batch": lambda ctx: ctx.durable_execute_all_async([DurableCall(str, (1,))]),
    "empty batch": lambda ctx: ctx.durable_execute_all_async([]),
    "gather": lambda ctx: ctx.gather(),
    "pause": lambda ctx: ctx.sleep(0),
}
GOOD: dict[str, Callable[[Any], Any]] = {
    "given up": cancelled_by_hand,
    "no time": lambda ctx: asyncio.wait(
        [asyncio.ensure_future(asyncio.wait_for(ctx.durable_execute_async(str, 1), 0))]
    ),
    "gathered": lambda ctx: asyncio.gather(*(make(ctx) for make in MADE.values())),
    "a task": lambda ctx: asyncio.wait([asyncio.create_task(ctx.durable_execute_async(str, 1))]),
    "shielded": lambda ctx: asyncio.shield(ctx.durable_execute_async(str, 1)),
    **MADE,
    **{f"{name}, task that never starts": a_task_that_never_starts(MADE[name]) for name in MADE},
}


@pytest.mark.parametrize("name", GOOD)
def test_what_was_awaited_or_given_up_is_none(executor: CallExecutor, name: str) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        await GOOD[name](ctx)
        return "charged"

    bench = HandlerBench(handler, executor)
    assert bench.run() == "charged"
    assert bench.ctx._calls.unmade == {}


def test_it_is_the_handlers_failure(new_task: NewTask) -> None:
    with pytest.raises(HandlerFailed, match=r"forgets_a_call"):
        new_task(forgets_a_call).start("order")
    [letter] = new_task(forgets_a_call, on_error="dead-letter").start("order")[-1]
    assert letter.error_type == "CallNotAwaited"
    gc.collect()
