"""Outside calls that leave a trace, and the ways in which a handler can make them."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import Any

from crashkit.world import DEADLINE_SECONDS, World

from pyflink_durable import RunnerContext


def act(world: World, name: str) -> str:
    """A call that happens at once."""
    world.note("run", name)
    return f"ran {name}"


async def act_async(world: World, name: str) -> str:
    world.note("run", name)
    await asyncio.sleep(0)
    return f"ran {name}"


def stuck_at_first(world: World, name: str) -> str:
    """A call that is under way when the crash comes: the first time it does not end by itself."""
    world.note("run", name, checkpoint=world.newest_checkpoint())
    if world.first_time(f"stuck-{name}"):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.01)
        raise TimeoutError(f"{name} was to be interrupted by a crash")
    return f"ran {name}"


async def stuck_at_first_async(world: World, name: str) -> str:
    world.note("run", name, checkpoint=world.newest_checkpoint())
    if world.first_time(f"stuck-{name}"):
        await asyncio.sleep(DEADLINE_SECONDS)
        raise TimeoutError(f"{name} was to be interrupted by a crash")
    return f"ran {name}"


def look_up(world: World, name: str) -> str:
    """A reconciler's question about a call in doubt."""
    world.note("reconcile", name)
    return f"found {name}"


_ASYNCHRONOUS = {act: act_async, stuck_at_first: stuck_at_first_async}


class Style(Enum):
    """How a handler makes its calls."""

    SYNC = "durable_execute in an async handler"
    POOL = "an ordinary function on the thread pool"
    COROUTINE = "a coroutine function"
    DEF = "durable_execute in a def handler"


async def call_in(style: Style, ctx: RunnerContext, func: Any, *args: Any, **options: Any) -> Any:
    """Makes a call in one of the styles of an ``async def`` handler."""
    if style is Style.SYNC:
        return ctx.durable_execute(func, *args, **options)
    if style is Style.COROUTINE:
        func = _ASYNCHRONOUS[func]
    return await ctx.durable_execute_async(func, *args, **options)
