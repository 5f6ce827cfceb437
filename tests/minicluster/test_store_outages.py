"""The store of large results goes down, and the job with it: nothing gets lost or happens twice."""

from __future__ import annotations

import random
from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    cancel,
    check,
    durable,
    environment,
    scripted,
    start,
    write_outputs,
)
from crashkit.sealed import sealed
from crashkit.store import Shaky

from pyflink_durable import NOT_EXECUTED, DurableOptions, RunnerContext

pytestmark = pytest.mark.minicluster

CRASH = "crash"
RECEIPT = random.Random(1).randbytes(5_000).hex()
"""That no compression makes small."""


def charge(world: World, name: str) -> str:
    world.note("run", name, checkpoint=world.newest_checkpoint())
    Shaky(world, 0).take_down()
    return RECEIPT


def find(world: World, name: str) -> Any:
    world.note("reconcile", name)
    return RECEIPT if world.count("run", name) else NOT_EXECUTED


def test_a_call_that_has_happened_waits_for_the_store_through_a_failover(world: World) -> None:
    store = Shaky(world, threshold=1_000)

    async def handle(name: str, ctx: RunnerContext) -> str | None:
        if name == CRASH:
            await world.crash_when_async(result_waits)
            return None
        receipt: str = await ctx.durable_execute_async(
            charge, world, name, reconciler=lambda: find(world, name)
        )
        return f"{name} {len(receipt)}"

    def result_waits(world: World) -> bool:
        """Its result could not be written, and a checkpoint holds it as pending."""
        runs = world.events("run")
        refused = [one for one in world.subjects("store is down") if int(one) > 1_000]
        return bool(runs and refused) and world.is_covered(runs[0]["checkpoint"])

    def is_looked_for(world: World) -> bool:
        """The next attempt of the task has met a store that is down, too."""
        return "31" in world.subjects("store is down")

    env = environment(world, restarts=100)
    inputs = scripted(env, world, [Stage(["a", CRASH])], bounded=False)
    options = DurableOptions(**sealed(offload=store))
    write_outputs(durable(inputs, handle, options=options), world)

    job = start(env)
    world.wait(lambda world: check(job) or world.crashed(), "the crash")
    world.wait(lambda world: check(job) or is_looked_for(world), "the next attempt")
    store.bring_back()
    world.wait(lambda world: check(job) or bool(world.outputs()), "the output")
    cancel(job)

    assert world.outputs() == [f"a {len(RECEIPT)}"]
    assert world.subjects("run") == ["a"]
    assert world.subjects("reconcile") == ["a"]
