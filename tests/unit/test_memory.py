"""Finished invocations are freed at once, without the garbage collector."""

from __future__ import annotations

import gc
import weakref

from bridges import SlotsInMemory
from loops import Operator

from pyflink_durable.runtime import FlinkRunnerContext
from pyflink_durable.runtime.executors import CallExecutor
from pyflink_durable.runtime.journal import SlotJournal


def test_a_finished_invocation_leaves_no_cycle() -> None:
    operator, executor = Operator(), CallExecutor()
    seen = []

    async def handle() -> None:
        ctx = FlinkRunnerContext(SlotJournal(SlotsInMemory(), size=0), executor)
        seen.append(weakref.ref(ctx))
        ctx.durable_execute(int)
        ctx.state["visits"] = 1
        ctx.collect(await ctx.durable_execute_async(int))
        ctx.end()

    gc.collect()
    gc.disable()
    try:
        operator.run(handle())
        assert seen[0]() is None
    finally:
        gc.enable()
        executor.close(0)
