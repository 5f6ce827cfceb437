"""Context variables of a handler: each task, callback and timer has those of whoever made it."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from handler_bench import ByHand, HandlerBench
from loops import Operator

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


def test_tasks_callbacks_and_timers_see_what_was_set_when_they_were_made() -> None:
    seen: list[str] = []

    async def a_task() -> None:
        seen.append(f"task {tenant.get()}")
        tenant.set("of the task")

    async def handler(value: Any, ctx: Any) -> None:
        loop = asyncio.get_running_loop()
        tenant.set("a")
        task = asyncio.create_task(a_task())
        loop.call_soon(lambda: seen.append(f"callback {tenant.get()}"))
        timer = loop.create_future()
        loop.call_later(
            0.001, lambda: (seen.append(f"timer {tenant.get()}"), timer.set_result(None))
        )
        other = contextvars.copy_context()
        other.run(tenant.set, "other")
        loop.call_soon(lambda: seen.append(f"given {tenant.get()}"), context=other)
        tenant.set("b")
        await task
        await timer
        seen.append(f"handler {tenant.get()}")

    HandlerBench(handler, ByHand()).run()
    assert seen == ["task a", "callback a", "given other", "timer a", "handler b"]


def test_handlers_do_not_see_each_others() -> None:
    seen: list[str] = []

    async def handler(name: str) -> None:
        seen.append(tenant.get())
        tenant.set(name)
        await asyncio.sleep(0)
        seen.append(tenant.get())

    operator = Operator()
    operator.loop.create_task(handler("a"))
    operator.loop.create_task(handler("b"))
    operator.loop.run_until_idle()
    assert seen == ["nobody", "nobody", "a", "b"]
    assert tenant.get() == "nobody"
