"""asyncio keeps tasks and calls in sets; their order is the same in each run of a handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from handler_bench import NUMBER, ByHand, HandlerBench
from loops import Operator

from pyflink_durable.runtime.loop.invocation_tasks import (
    InvocationTasks,
    NumberedTask,
    invocation_tasks,
)
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

CALLS = 40


def nothing(number: int) -> int:
    return number


async def through_as_completed(ctx: FlinkRunnerContext) -> None:
    calls = [ctx.durable_execute_async(nothing, i, durable_id=str(i)) for i in range(CALLS)]
    for call in asyncio.as_completed(calls):
        await call


async def through_sets_of_tasks(ctx: FlinkRunnerContext) -> None:
    async def one(number: int) -> None:
        await ready.wait()
        await ctx.durable_execute_async(nothing, number, durable_id=f"first {number}")

    ready = asyncio.Event()
    tasks = {asyncio.create_task(one(i)) for i in range(CALLS)}
    asyncio.get_running_loop().call_soon(ready.set)
    done, _ = await asyncio.wait(tasks)
    numbers = {task: number for number, task in enumerate(sorted(tasks, key=hash))}
    for task in done:
        ctx.durable_execute(nothing, numbers[task], durable_id=f"then {numbers[task]}")


async def through_sets_of_futures(ctx: FlinkRunnerContext) -> None:
    loop = asyncio.get_running_loop()
    futures = {loop.create_future(): number for number in range(CALLS)}
    for future in {*futures}:
        number = futures[future]
        ctx.durable_execute(nothing, number, durable_id=str(number))


@pytest.mark.parametrize(
    "handler", [through_as_completed, through_sets_of_tasks, through_sets_of_futures]
)
def test_calls_get_the_same_slots_in_each_run(handler: Callable[..., Any]) -> None:
    assert len({slots_of(handler, invocation) for invocation in (0, 1, 77, 1_000)}) == 1


def test_the_handlers_own_task_has_a_number_too() -> None:
    """anyio keeps it in a set with those that it has started."""

    async def handler(value: Any, ctx: Any) -> int:
        return hash(asyncio.current_task())

    assert HandlerBench(handler, ByHand()).run() == NUMBER << 32


def test_tasks_without_a_name_are_named_by_their_number(executor: Any) -> None:
    async def name_of() -> Any:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    async def handler(value: Any, ctx: Any) -> Any:
        return [
            await name_of(),
            await asyncio.create_task(name_of()),
            await asyncio.create_task(name_of(), name="mine"),
            await asyncio.create_task(name_of()),
        ]

    names = HandlerBench(handler, executor).run()
    assert names == ["Task-0", "Task-1", "mine", "Task-3"]
    assert HandlerBench(handler, executor).run() == names


def test_a_task_has_its_number_when_asyncio_registers_it() -> None:
    """Tasks of thousands of invocations that all have one hash then are a list."""
    seen: list[int] = []

    class Watched(NumberedTask):
        def __hash__(self) -> int:
            seen.append(super().__hash__())
            return seen[-1]

    async def start(invocation: int) -> None:
        invocation_tasks.set(InvocationTasks(invocation))
        tasks.append(Watched(asyncio.sleep(0), loop=operator.loop))

    operator = Operator()
    tasks: list[Watched] = []
    for invocation in range(1, 4):
        operator.run(start(invocation))
    assert seen == [(invocation << 32) + 1 for invocation in range(1, 4)]


def slots_of(handler: Callable[..., Any], invocation: int) -> tuple[str, ...]:
    journal = SlotsInMemory()
    ballast = [object() for _ in range(invocation)]  # other addresses in each run

    async def run() -> None:
        invocation_tasks.set(InvocationTasks(invocation))
        await handler(FlinkRunnerContext(slot_journal(journal, size=0)))

    Operator().run(run())
    del ballast
    return tuple(slot.function_id for slot in journal.slots)
