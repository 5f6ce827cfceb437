"""The operator in a larger job: chained functions, a second durable operator, open and close."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    act,
    durable,
    environment,
    run,
    scripted,
    take_a_while,
    write_outputs,
)
from pyflink.common import Types

from pyflink_durable import DurableProcessFunction, RunnerContext

pytestmark = pytest.mark.minicluster

NAMES = [f"order-{n}" for n in range(20)]


@pytest.mark.parametrize("chaining", ["true", "false"])
def test_a_python_map_behind_the_operator(world: World, chaining: str) -> None:
    async def handle(name: str, ctx: RunnerContext) -> str:
        return str(await ctx.durable_execute_async(take_a_while, name))

    env = environment(world, python__operator_chaining__enabled=chaining)
    results = durable(scripted(env, world, [Stage(NAMES)]), handle)
    shouted = results.map(str.upper, Types.STRING()).map(lambda value: value + "!", Types.STRING())
    write_outputs(shouted, world)

    run(env)

    assert sorted(world.outputs()) == sorted(f"{name.upper()}!" for name in NAMES)


def test_two_durable_operators_in_one_job_across_a_failure(world: World) -> None:
    async def charge(name: str, ctx: RunnerContext) -> str:
        ctx.state["charged"] = True
        return str(await ctx.durable_execute_async(act, world, f"charge {name}"))

    def ship(charged: str, ctx: RunnerContext) -> str:
        assert "charged" not in ctx.state, "the operators share their state"
        if charged == f"ran charge {NAMES[-1]}":
            world.crash_when(lambda world: world.count("run") >= 2 * len(NAMES) - 1)
        return str(ctx.durable_execute(act, world, f"ship after {charged}"))

    env = environment(world, restarts=1)
    stages = [Stage(NAMES), Stage([], when=World.crashed)]
    charged = durable(scripted(env, world, stages), charge, name="charge")
    write_outputs(durable(charged, ship, name="ship"), world)

    run(env)

    expected = [f"ran ship after ran charge {name}" for name in NAMES]
    assert sorted(world.outputs()) == sorted(expected)
    assert set(Counter(world.subjects("run")).values()) <= {1, 2}


class Lifecycle(DurableProcessFunction):
    """Notes when it is opened and closed, and by whom."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, runtime_context: Any) -> None:
        self._client = object()  # cannot be equal in two attempts
        self._world.note("open")

    async def process(self, value: str, ctx: RunnerContext) -> str:
        assert self._client is not None
        await ctx.durable_execute_async(act, self._world, value)
        if value == NAMES[-1]:
            await self._world.crash_when_async(lambda world: world.has_all("run", NAMES))
        return value

    def close(self) -> None:
        self._world.note("close")


def test_open_and_close_once_per_attempt_of_a_subtask(world: World) -> None:
    env = environment(world, restarts=1, parallelism=2)
    stages = [Stage(NAMES), Stage([], when=World.crashed)]
    write_outputs(durable(scripted(env, world, stages), Lifecycle(world)), world)

    run(env)

    assert world.count("open") == 4  # two subtasks, two attempts
    assert world.count("close") == 4
    assert sorted(world.outputs()) == sorted(NAMES)
