"""The members of a group of anyio are cancelled in one order, in each run."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
from handler_bench import HandlerBench

from pyflink_durable.runtime.execution.executors import CallExecutor

MEMBERS = list(range(50))


def undo(number: int) -> int:
    return number


async def group_that_is_cancelled(value: Any, ctx: Any) -> list[int]:
    undone = []

    async def member(number: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            undone.append(ctx.durable_execute(undo, number))

    async with anyio.create_task_group() as group:
        for number in MEMBERS:
            group.start_soon(member, number)
        await asyncio.sleep(0)
        group.cancel_scope.cancel()
    return undone


def test_in_the_order_in_which_they_were_started(executor: CallExecutor) -> None:
    assert HandlerBench(group_that_is_cancelled, executor).run() == MEMBERS


def test_elsewhere_it_is_anyios_own_affair() -> None:
    async def main() -> type:
        async with anyio.create_task_group() as group:
            kept: Any = group.cancel_scope
            return type(kept._child_scopes)

    assert asyncio.run(main()) is set
