"""An operator that takes in no input, at the default level: checkpoints come all the same."""

from __future__ import annotations

from collections import Counter

import pytest
from crashkit import Stage, World, act, durable, environment, run, scripted, write_outputs

from pyflink_durable import DurableOptions, RunnerContext

pytestmark = pytest.mark.minicluster

ORDERS = [f"order-{n}" for n in range(40)]
RUNNING = 4


def charge_and_wait(world: World) -> object:
    """A handler whose call is followed by a long wait; one crashes when the calls are safe."""

    async def handle(order: str, ctx: RunnerContext) -> str:
        charge = await ctx.durable_execute_async(act, world, order)
        await ctx.durable_execute_async(wait, world, order)
        return str(charge)

    return handle


def wait(world: World, order: str) -> None:
    if order == ORDERS[0]:
        world.crash_when(all_are_safe)
    world.wait(World.crashed, "the crash")


def all_are_safe(world: World) -> bool:
    """Whether a checkpoint knows of the calls of all that run."""
    runs = [one["checkpoint"] for one in world.events("run")]
    return len(runs) == RUNNING and world.is_covered(max(runs))


def test_a_full_operator_repeats_no_call_that_was_made_long_before(world: World) -> None:
    """An aligned barrier would wait in its input, and no checkpoint would know of the calls."""
    env = environment(world, restarts=1)
    options = DurableOptions(max_in_flight=RUNNING, max_pending=6)
    inputs = scripted(env, world, [Stage(ORDERS)])
    write_outputs(durable(inputs, charge_and_wait(world), options=options), world)

    run(env)

    assert Counter(world.subjects("run")) == dict.fromkeys(ORDERS, 1)
    assert sorted(world.outputs()) == sorted(f"ran {order}" for order in ORDERS)
