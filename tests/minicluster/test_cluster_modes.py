"""Failover under other settings of the job, batches of calls, user state, savepoints."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from crashkit import (
    Stage,
    Style,
    World,
    act,
    call_in,
    cancel,
    durable,
    environment,
    look_up,
    run,
    scripted,
    start,
    stop_with_savepoint,
    stuck_at_first,
    write_outputs,
)

from pyflink_durable import DurableOptions, RunnerContext

pytestmark = pytest.mark.minicluster

KEYS = "abcdefgh"
FIRST = [f"{key}{n}" for n in (1, 2, 3) for key in KEYS]
MORE = [f"{key}{n}" for n in (4, 5, 6) for key in KEYS]


def is_covered(world: World, names: list[str]) -> bool:
    """Whether all these calls run and a checkpoint knows of them."""
    runs = {one["subject"]: one["checkpoint"] for one in world.events("run")}
    return set(names) <= set(runs) and world.is_covered(max(runs[name] for name in names))


def counting_handler(world: World, crash_when: Any) -> Any:
    """Numbers the inputs of each key, in a handler that crashes once."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == "crash":
            await world.crash_when_async(crash_when)
            return name
        seen = ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        await ctx.durable_execute_async(act, world, name)
        return f"{name} is number {seen} of {ctx.key}"

    return handle


def numbered(names: list[str]) -> list[str]:
    return [f"{name} is number {name[1]} of {name[0]}" for name in names]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"execution__checkpointing__unaligned__enabled": "false"}, id="aligned"),
        pytest.param({"parallelism": 2}, id="parallelism-2"),
        pytest.param(
            {"parallelism": 2, "execution__checkpointing__unaligned__enabled": "false"},
            id="parallelism-2-aligned",
        ),
        pytest.param({"pipeline__object_reuse": "true"}, id="object-reuse"),
        pytest.param(
            {"state__backend__type": "rocksdb", "execution__checkpointing__incremental": "true"},
            id="incremental-rocksdb",
        ),
    ],
)
def test_outputs_and_state_exactly_once(world: World, settings: dict[str, Any]) -> None:
    stages = [
        Stage(FIRST),
        Stage(
            [*MORE, "crash"],
            when=lambda world: is_covered(world, FIRST),
            hold=World.crashed,
        ),
    ]
    handler = counting_handler(world, lambda world: world.has_all("run", MORE))
    env = environment(world, restarts=1, **settings)
    results = durable(scripted(env, world, stages), handler, key=lambda name: name[0])
    write_outputs(results, world)

    run(env)

    assert Counter(world.subjects("run")) == dict.fromkeys(FIRST, 1) | dict.fromkeys(MORE, 2)
    assert sorted(world.outputs()) == sorted([*numbered(FIRST + MORE), "crash"])


def test_unbounded_input(world: World) -> None:
    stages = [Stage([*FIRST, "crash"]), Stage(MORE, when=World.crashed)]
    handler = counting_handler(world, lambda world: is_covered(world, FIRST))
    env = environment(world, restarts=1)
    inputs = scripted(env, world, stages, bounded=False)
    write_outputs(durable(inputs, handler, key=lambda name: name[0]), world)
    expected = sorted([*numbered(FIRST + MORE), "crash"])

    client = start(env)
    world.wait(lambda world: len(world.outputs()) >= len(expected), "all outputs")
    cancel(client)

    assert sorted(world.outputs()) == expected
    assert world.crashed()


# ------------------------------------------------------------------------------ batches of calls


@pytest.mark.parametrize("style", [Style.POOL, Style.COROUTINE], ids=["pool", "coroutine"])
def test_a_crash_in_the_middle_of_a_batch(world: World, style: Style) -> None:
    """Half of the batch is done at the checkpoint; of the rest, half can be looked up."""
    calls = [f"call-{n}" for n in range(12)]
    stuck, known = calls[6:], calls[6:9]

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == "crash":
            await world.crash_when_async(lambda world: is_covered(world, calls))
            return name

        def make(call: str) -> Any:
            func = stuck_at_first if call in stuck else act
            reconciler = (lambda: look_up(world, call)) if call in known else None
            return call_in(style, ctx, func, world, call, reconciler=reconciler)

        return ", ".join(await asyncio.gather(*map(make, calls)))

    env = environment(world, restarts=1)
    stages = [Stage(["batch", "crash"]), Stage([], when=World.crashed)]
    write_outputs(durable(scripted(env, world, stages), handle), world)

    run(env)

    blind = [call for call in stuck if call not in known]
    expected = dict.fromkeys(calls, 1) | dict.fromkeys(blind, 2)
    assert Counter(world.subjects("run")) == expected
    assert Counter(world.subjects("reconcile")) == dict.fromkeys(known, 1)
    batch = [f"found {call}" if call in known else f"ran {call}" for call in calls]
    assert sorted(world.outputs()) == sorted([", ".join(batch), "crash"])


@pytest.mark.parametrize("style", [Style.POOL, Style.COROUTINE], ids=["pool", "coroutine"])
def test_a_reconciler_that_is_interrupted_is_asked_again(world: World, style: Style) -> None:
    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == "crash":
            await world.crash_when_async(lambda world: is_covered(world, ["call"]), "first")
            await world.crash_when_async(lambda world: is_covered(world, ["look up"]), "second")
            return name
        return await call_in(
            style,
            ctx,
            stuck_at_first,
            world,
            "call",
            reconciler=lambda: stuck_at_first(world, "look up"),
        )

    env = environment(world, restarts=2)
    stages = [Stage(["order", "crash"]), Stage([], when=lambda world: world.crashed("second"))]
    write_outputs(durable(scripted(env, world, stages), handle), world)

    run(env)

    assert Counter(world.subjects("run")) == {"call": 1, "look up": 2}
    assert sorted(world.outputs()) == ["crash", "ran look up"]


# ------------------------------------------------------------------------------ ends of a job


def test_end_of_input_with_calls_in_flight(world: World) -> None:
    """The source has ended, and checkpoints are taken all the same."""
    names = [f"order-{n}" for n in range(8)]

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == "crash":
            await world.crash_when_async(lambda world: is_covered(world, names))
            return name
        return await ctx.durable_execute_async(
            stuck_at_first, world, name, reconciler=lambda: look_up(world, name)
        )

    env = environment(world, restarts=3, parallelism=2)
    stages = [Stage([*names, "crash"])]
    write_outputs(durable(scripted(env, world, stages), handle), world)

    run(env)

    assert Counter(world.subjects("run")) == dict.fromkeys(names, 1)
    assert sorted(world.outputs()) == sorted(["crash", *[f"found {name}" for name in names]])


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_stop_with_savepoint_and_resume_in_another_job(world: World, backend: str) -> None:
    """Without drain: what is in flight goes into the savepoint, not to its end."""
    stuck = [f"{key}4" for key in KEYS]

    async def handle(name: str, ctx: RunnerContext) -> str:
        seen = ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        func = stuck_at_first if name in stuck else act
        await ctx.durable_execute_async(func, world, name, reconciler=lambda: look_up(world, name))
        return f"{name} is number {seen} of {ctx.key}"

    def begin(**settings: str) -> Any:
        env = environment(world, state__backend__type=backend, **settings)
        stages = [Stage(FIRST), Stage(MORE, when=lambda world: is_covered(world, FIRST))]
        inputs = scripted(env, world, stages, bounded=False)
        options = DurableOptions(close_timeout=0)  # what hangs is left behind
        results = durable(inputs, handle, key=lambda name: name[0], options=options)
        write_outputs(results, world)
        return start(env)

    first_job = begin()
    world.wait(lambda world: world.has_all("run", stuck), "the calls that hang")
    savepoint = stop_with_savepoint(first_job, world)
    assert sorted(world.outputs()) == sorted(numbered(FIRST))
    world.release_calls()

    second_job = begin(
        execution__state_recovery__path=savepoint, execution__savepoint__path=savepoint
    )
    world.wait(lambda world: len(world.outputs()) >= len(FIRST + MORE), "all outputs")
    cancel(second_job)

    assert Counter(world.subjects("run")) == dict.fromkeys(FIRST + MORE, 1)
    assert Counter(world.subjects("reconcile")) == dict.fromkeys(stuck, 1)
    assert sorted(world.outputs()) == sorted(numbered(FIRST + MORE))
