"""What a handler logs is logged once, whatever fails and is run again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from handler_bench import HandlerBench
from host_bench import Task

from pyflink_durable import LocalRunnerContext
from pyflink_durable.runtime.execution.executors import CallExecutor


def answer(number: int) -> int:
    return number


async def on_the_loop(value: Any, ctx: Any) -> str:
    ctx.logger.info("began with %s", value)
    first = await ctx.durable_execute_async(answer, 1)
    ctx.logger.info("first %d", first)
    ctx.now()
    second, third = await asyncio.gather(
        ctx.durable_execute_async(answer, 2), ctx.durable_execute_async(answer, 3)
    )
    ctx.logger.info("both %d", second + third)
    await ctx.sleep(0.001)
    ctx.logger.info("slept")
    ctx.durable_execute(answer, 4)
    return "done"


def on_a_thread(value: Any, ctx: Any) -> str:
    ctx.logger.info("began with %s", value)
    first = ctx.durable_execute(answer, 1)
    ctx.logger.info("first %d", first)
    ctx.now()
    ctx.durable_execute(answer, 2)
    ctx.durable_execute(answer, 3)
    ctx.logger.info("both 5")
    ctx.durable_execute(answer, 4)
    ctx.logger.info("slept")
    ctx.durable_execute(answer, 5)
    return "done"


LINES = ["began with value", "first 1", "both 5", "slept"]


@pytest.mark.parametrize("handler", [on_the_loop, on_a_thread])
def test_each_line_once_wherever_the_journal_ends(
    handler: Callable[..., Any], executor: CallExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """A run logs what the run before has not logged on its way to its last slot."""
    caplog.set_level(logging.INFO, "pyflink_durable.handler")
    bench = HandlerBench(handler, executor)
    assert bench.run() == "done"
    assert caplog.messages == LINES
    # the line that was logged before each slot was taken
    before = [1, 2, 2, 2, 3, 4]
    for kept in range(1, len(bench.slots) + 1):
        caplog.clear()
        again = bench.again(bench.journal.slots[:kept])
        assert again.run() == "done"
        assert caplog.messages == LINES[before[kept - 1] :], kept


def test_whether_it_replays(executor: CallExecutor) -> None:
    seen: list[bool] = []

    async def handle(value: Any, ctx: Any) -> None:
        seen.append(ctx.is_replaying)
        for number in range(2):
            await ctx.durable_execute_async(answer, number)
            seen.append(ctx.is_replaying)

    bench = HandlerBench(handle, executor)
    bench.run()
    assert seen == [False, False, False]
    seen.clear()
    bench.again(bench.journal.slots[:1]).run()
    assert seen == [True, False, False]


def test_fields_of_a_record(executor: CallExecutor, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(value: Any, ctx: Any) -> None:
        ctx.logger.warning("100% of it", extra={"order": value})

    HandlerBench(handle, executor).run()
    [record] = caplog.records
    fields = vars(record)
    told = [fields[name] for name in ("operator", "key", "invocation", "order")]
    assert (told, record.getMessage()) == (["orders", "k", 3, "value"], "100% of it")


def test_in_a_job_it_goes_to_the_log_of_the_task_manager(new_task: Callable[..., Task]) -> None:
    async def handle(value: Any, ctx: Any) -> None:
        ctx.logger.debug("nobody asked")
        try:
            raise ValueError("two\nlines")
        except ValueError:
            ctx.logger.exception("order %s failed", value)

    task = new_task(handle)
    task.start("o-1")
    [line] = task.bridge.lines
    assert line.startswith("operator=orders key='key-1' invocation=5 order o-1 failed\\nTraceback")
    assert "\n" not in line


def test_without_a_job(caplog: pytest.LogCaptureFixture) -> None:
    ctx = LocalRunnerContext(key="k")
    ctx.logger.warning("hello")
    assert (caplog.messages, vars(caplog.records[0])["key"]) == (["hello"], "k")
    assert not ctx.is_replaying
