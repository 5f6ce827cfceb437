"""Outside calls that leave a trace, and the ways in which a handler can make them."""

from __future__ import annotations

import asyncio
import time
import zlib
from enum import Enum
from typing import Any

from crashkit.world import DEADLINE_SECONDS, World
from pyflink_durable import RunnerContext


def _note_run(world: World, name: str) -> None:
    world.note("run", name, checkpoint=world.newest_checkpoint())


def act(world: World, name: str) -> str:
    """A call that happens at once."""
    _note_run(world, name)
    return f"ran {name}"


async def act_async(world: World, name: str) -> str:
    _note_run(world, name)
    await asyncio.sleep(0)
    return f"ran {name}"


def stuck_at_first(world: World, name: str) -> str:
    """A call that is under way when the crash comes: the first time it has no outcome.

    Nothing can interrupt a thread. The call ends by itself, once the crash has come or the test
    releases it, in the way of a process that dies: with what is never journaled, as a cancellation
    of its own would be.
    """
    releases = world.releases()
    _note_run(world, name)
    if world.first_time(f"stuck-{name}"):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not world.is_released(releases):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} was to be released by a crash")
            time.sleep(0.02)
        raise SystemExit(f"{name} has no outcome")
    return f"ran {name}"


async def stuck_at_first_async(world: World, name: str) -> str:
    """As `stuck_at_first`; the end of the task cancels it."""
    _note_run(world, name)
    if world.first_time(f"stuck-{name}"):
        await asyncio.sleep(DEADLINE_SECONDS)
        raise TimeoutError(f"{name} was to be cancelled with its task")
    return f"ran {name}"


def look_up(world: World, name: str) -> str:
    """A reconciler's question about a call in doubt."""
    world.note("reconcile", name)
    return f"found {name}"


async def take_a_while(name: str) -> str:
    """For a time that looks random and is the same in every run."""
    await asyncio.sleep(zlib.crc32(name.encode()) % 20 / 1000)
    return name


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
