"""Handlers that take another path after a failure, at each level: nothing that counts gets lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from crashkit import Stage, World, act, durable, environment, look_up, run, scripted, write_outputs
from crashkit.calls import stuck_at_first_async

from pyflink_durable import DurableOptions, FileCallLog, JournalMismatch, RunnerContext

pytestmark = pytest.mark.minicluster

CRASH = "crash"
ENDED, IN_DOUBT, MAY_RUN_AGAIN = INPUTS = ["ended", "in doubt", "may run again"]


def all_are_in_a_checkpoint(world: World) -> bool:
    if not (world.has_all("charged", [ENDED, MAY_RUN_AGAIN]) and world.count("run", IN_DOUBT)):
        return False
    if world.first_time("all are charged"):
        world.note("all", checkpoint=world.newest_checkpoint())
    return bool(world.events("all")) and world.is_covered(world.events("all")[0]["checkpoint"])


async def charge(world: World, name: str, ctx: RunnerContext) -> str:
    options = {} if name == MAY_RUN_AGAIN else {"reconciler": lambda: look_up(world, name)}
    func = stuck_at_first_async if name == IN_DOUBT else act
    charged: str = await ctx.durable_execute_async(func, world, name, **options)
    if not world.crashed():
        world.note("charged", name)
        await asyncio.get_running_loop().create_future()  # in flight at the crash
    return charged


async def refund(world: World, name: str, ctx: RunnerContext) -> str:
    """What a handler calls that goes the wrong way."""
    try:
        refunded: str = await ctx.durable_execute_async(act, world, f"refund of {name}")
    except JournalMismatch as error:
        world.note("mismatch", name, text=str(error))
        return "swallowed"
    return refunded


@pytest.mark.parametrize("level", ["checkpoint", "gated", "write-ahead"])
def test_a_mismatch_loses_nothing_that_counts(world: World, level: Any, tmp_path: Path) -> None:
    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            await world.crash_when_async(all_are_in_a_checkpoint)
            return name
        strays = world.crashed() and (name == MAY_RUN_AGAIN or world.first_time(f"stray {name}"))
        return await (refund if strays else charge)(world, name, ctx)

    log = FileCallLog(directory=tmp_path) if level == "write-ahead" else None
    env = environment(world, restarts=3)  # the crash, and a mismatch of each that must not be lost
    stages = [Stage([*INPUTS, CRASH]), Stage([], when=World.crashed)]
    options = DurableOptions(durability=level, call_log=log)
    write_outputs(durable(scripted(env, world, stages), handle, options=options), world)
    run(env)

    mismatches = {one["subject"]: one["text"] for one in world.events("mismatch")}
    assert sorted(mismatches) == [ENDED, IN_DOUBT]
    assert "act" in mismatches[ENDED]
    assert "slot 0" in mismatches[ENDED]
    assert "SUCCEEDED, and not to be made again" in mismatches[ENDED]
    assert "slot 0, crashkit.calls.stuck_at_first_async: in doubt" in mismatches[IN_DOUBT]
    for name, text in mismatches.items():
        assert f"key={name!r}" in text
        assert "test_mismatches.py:" in text
    # the next attempt went the way of the journal
    refunded = f"refund of {MAY_RUN_AGAIN}"
    runs = Counter(world.subjects("run"))
    # each failure may find it under way, and it may run again
    assert runs.pop(refunded) >= 1
    assert runs == dict.fromkeys(INPUTS, 1)
    assert set(world.subjects("reconcile")) == {IN_DOUBT}
    outputs = [CRASH, f"ran {ENDED}", f"found {IN_DOUBT}", f"ran {refunded}"]
    assert sorted(world.outputs()) == sorted(outputs)
