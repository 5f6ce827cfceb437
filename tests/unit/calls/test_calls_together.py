"""Concurrent awaits: one after another over the six methods, together over slots."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bridges import TestedJournal
from loops import PATIENCE
from outside import Outside

from pyflink_durable import JournalMismatch
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask


@pytest.fixture
def context(journal: TestedJournal, executor: CallExecutor) -> FlinkRunnerContext:
    return FlinkRunnerContext(
        journal.access(), executor, identity=InvocationIdentity(lambda _: "k-1")
    )


def restarted(journal: TestedJournal, executor: CallExecutor) -> FlinkRunnerContext:
    journal.restart()
    return FlinkRunnerContext(journal.access(), executor)


async def one_call(context: FlinkRunnerContext, func: Callable[..., Any]) -> Any:
    return await context.durable_execute_async(func)


def test_at_a_time(
    context: FlinkRunnerContext, journal: TestedJournal, executor: CallExecutor
) -> None:
    lock, running, most = threading.Lock(), 0, 0
    together = threading.Event()

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 3:
                together.set()
        if journal.concurrent:
            assert together.wait(PATIENCE)
        with lock:
            running -= 1
        return number

    async def handler(context: FlinkRunnerContext) -> list[int]:
        calls = [context.durable_execute_async(work, n) for n in range(3)]
        return await asyncio.gather(*calls)

    assert asyncio.run(handler(context)) == [0, 1, 2]
    assert most == (3 if journal.concurrent else 1)
    assert [slot.status for slot in journal.slots()] == ["SUCCEEDED"] * 3
    assert asyncio.run(handler(restarted(journal, executor))) == [0, 1, 2]


def test_replay_gives_the_same_slots_to_interleaved_tasks(
    context: FlinkRunnerContext, journal: TestedJournal, executor: CallExecutor
) -> None:
    outside = Outside()

    async def chain(context: FlinkRunnerContext, name: str) -> None:
        for number in range(2):
            await context.durable_execute_async(outside.charge, durable_id=f"{name}{number}")

    async def handler(context: FlinkRunnerContext) -> None:
        await asyncio.gather(chain(context, "a"), chain(context, "b"))

    asyncio.run(handler(context))
    slots = journal.slots()
    asyncio.run(handler(restarted(journal, executor)))
    assert journal.slots() == slots
    assert outside.asked == ["charge"] * 4


def test_a_failure_or_a_mismatch_does_not_block_the_line(
    context: FlinkRunnerContext, journal: TestedJournal, executor: CallExecutor
) -> None:
    outside = Outside()
    asyncio.run(one_call(context, outside.charge))
    journal.restart()
    strict = FlinkRunnerContext(journal.access(), subtask=Subtask(executor, on_mismatch="fail"))

    async def handler() -> list[Any]:
        calls: list[Awaitable[Any]] = [
            strict.durable_execute_async(outside.refund, n) for n in range(3)
        ]
        waiting = asyncio.gather(*calls, return_exceptions=True)
        return await asyncio.wait_for(waiting, PATIENCE)

    assert isinstance(asyncio.run(handler())[0], JournalMismatch)


def test_a_call_cancelled_in_line_takes_no_slot(
    context: FlinkRunnerContext, journal: TestedJournal
) -> None:
    if journal.concurrent:
        pytest.skip("no line where calls run together")
    outside, go = Outside(), threading.Event()

    async def handler() -> list[Any]:
        first = asyncio.create_task(context.durable_execute_async(lambda: go.wait(PATIENCE)))
        line = [
            asyncio.create_task(context.durable_execute_async(outside.charge, n)) for n in range(3)
        ]
        gathered = asyncio.gather(first, *line, return_exceptions=True)
        await asyncio.sleep(0)
        line[0].cancel()
        line[1].cancel()
        go.set()
        return [type(result) for result in await gathered]

    cancelled = asyncio.CancelledError
    assert asyncio.run(handler()) == [bool, cancelled, cancelled, str]
    assert len(journal.slots()) == 2
