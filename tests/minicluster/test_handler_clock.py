"""Handlers that decide by their clock, and handlers that never rest, through a failure."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from crashkit import DEADLINE_SECONDS, Stage, World, act, durable, environment, run, scripted
from crashkit import write_outputs as write

from pyflink_durable import DurableOptions, FileCallLog, RunnerContext

pytestmark = pytest.mark.minicluster

ORDERS = [f"order-{n}" for n in range(4)]
CRASH = "crash"


async def never_answers(world: World, name: str) -> None:
    """Hangs for longer than anybody waits."""
    world.note("run", name)
    await asyncio.sleep(DEADLINE_SECONDS)


def are_charged_in_a_checkpoint(world: World) -> bool:
    if not world.has_all("run", [f"{order}/charge" for order in ORDERS]):
        return False
    if world.first_time("all are charged"):
        world.note("charged", checkpoint=world.newest_checkpoint())
    return world.is_covered(world.events("charged")[0]["checkpoint"])


@pytest.mark.parametrize("level", ["checkpoint", "gated", "write-ahead"])
def test_a_deadline_for_two_attempts_charges_once_through_a_failure(
    world: World, level: Any, tmp_path: Path
) -> None:
    """The second attempt takes no timer, since the deadline has passed, and neither in a replay."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            await world.crash_when_async(are_charged_in_a_checkpoint)
            return name
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 0.3
        for attempt in ("first", "second"):
            call = ctx.durable_execute_async(never_answers, world, f"{name}/{attempt}")
            try:
                await asyncio.wait_for(call, deadline - loop.time())
            except (TimeoutError, asyncio.TimeoutError):
                continue
        charged = await ctx.durable_execute_async(act, world, f"{name}/charge")
        if not world.crashed():
            await asyncio.get_running_loop().create_future()  # in flight at the crash
        return str(charged)

    log = FileCallLog(directory=tmp_path) if level == "write-ahead" else None
    env = environment(world, restarts=1)
    stages = [Stage([*ORDERS, CRASH]), Stage([], when=World.crashed)]
    options = DurableOptions(durability=level, call_log=log)
    write(durable(scripted(env, world, stages), handle, options=options), world)
    run(env)

    assert world.crashed()
    runs = Counter(world.subjects("run"))
    assert {name: runs[f"{name}/charge"] for name in ORDERS} == dict.fromkeys(ORDERS, 1)
    assert sorted(world.outputs()) == sorted([CRASH, *(f"ran {name}/charge" for name in ORDERS)])


def test_a_handler_that_goes_round_keeps_no_checkpoint_away(world: World) -> None:
    """Nor what it polls for, nor the handlers of other keys."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name != "spins":
            return str(await ctx.durable_execute_async(act, world, name))
        task = asyncio.create_task(call(ctx))
        while not task.done():
            await asyncio.sleep(0)
        return str(task.result())

    async def call(ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(wait_for_checkpoints, world)

    env = environment(world)
    stages = [Stage(["spins"]), Stage(["other"], when=lambda world: world.count("waits") > 0)]
    write(durable(scripted(env, world, stages), handle), world)
    run(env)

    assert sorted(world.outputs()) == ["checkpoints came", "ran other"]


def wait_for_checkpoints(world: World) -> str:
    """Ends when checkpoints have come that began after it did, and another key's call was made."""
    world.note("waits")
    newest = world.newest_checkpoint()
    world.wait(lambda world: world.is_covered(newest) and world.count("run", "other") > 0)
    return "checkpoints came"
