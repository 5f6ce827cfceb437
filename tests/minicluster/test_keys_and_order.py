"""Keys of all kinds keep their state and their order to themselves, whatever the limits."""

from __future__ import annotations

import asyncio
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
from pyflink.common import Row, Types

from pyflink_durable import DurableOptions, RunnerContext, current_call

pytestmark = pytest.mark.minicluster

KEY_TYPES = {
    "int": (Types.LONG(), [1, -7, 2**40]),
    "str": (Types.STRING(), ["1", "", "ключ"]),
    "tuple": (Types.TUPLE([Types.LONG(), Types.STRING()]), [(1, "a"), (1, "b"), (2, "a")]),
    "row": (Types.ROW([Types.LONG(), Types.STRING()]), [Row(f0=1, f1=x) for x in "abc"]),
    "pickled": (Types.PICKLED_BYTE_ARRAY(), [1, "1", b"1", (1,), ("1",)]),
}


@pytest.mark.parametrize("kind", list(KEY_TYPES))
def test_keys_of_any_type_share_nothing(world: World, kind: str) -> None:
    """Also across a failure, in which all keys are in flight and come back from state."""
    key_type, keys = KEY_TYPES[kind]
    places = range(len(keys))
    inputs = [f"{place} {n}" for n in range(4) for place in places]

    def in_flight_is_covered(world: World) -> bool:
        first = {one["subject"]: one["checkpoint"] for one in world.events("run")}
        return len(first) == len(keys) and world.is_covered(max(first.values()))

    async def handle(name: str, ctx: RunnerContext) -> str:
        place, n = name.split()
        assert ctx.key == keys[int(place)], (ctx.key, keys[int(place)])
        assert type(ctx.key) is type(keys[int(place)])
        seen = ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        await ctx.durable_execute_async(act, world, name)
        if n == "0":
            await world.crash_when_async(in_flight_is_covered)
        return f"{place} {n}: {ctx.key!r} {seen}"

    env = environment(world, restarts=1)
    stages = [Stage(inputs), Stage([], when=World.crashed)]
    results = durable(
        scripted(env, world, stages),
        handle,
        key=lambda name: keys[int(name.split()[0])],
        key_type=key_type,
    )
    write_outputs(results, world)

    run(env)

    outputs = world.outputs()
    for place in places:
        of_key = [line for line in outputs if line.startswith(f"{place} ")]
        assert of_key == [f"{place} {n}: {keys[place]!r} {n + 1}" for n in range(4)]
    assert len(outputs) == len(inputs)


def test_threads_that_ask_for_their_keys_at_the_same_time_get_their_own(world: World) -> None:
    """PyFlink's converter gives one array for all keys that are tuples."""
    keys = [(number, str(number)) for number in range(500)]
    inputs = [f"{number}" for number, _ in keys]

    async def handle(name: str, ctx: RunnerContext) -> str:
        first, second = await asyncio.gather(
            ctx.durable_execute_async(lambda: ctx.key),
            ctx.durable_execute_async(lambda: current_call().idempotency_key),
        )
        return f"{name} {first[0]} {second}"

    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(inputs)]),
        handle,
        key=lambda name: (int(name), name),
        key_type=Types.TUPLE([Types.LONG(), Types.STRING()]),
    )
    write_outputs(results, world)
    run(env)
    outputs = [line.split() for line in world.outputs()]
    assert sorted(name for name, _, _ in outputs) == sorted(inputs)
    assert [line for line in outputs if line[0] != line[1]] == []
    assert len({key for _, _, key in outputs}) == len(inputs)


def run_many_keys(world: World, options: DurableOptions) -> None:
    inputs = [f"key{key} {n}" for n in range(10) for key in range(30)]

    async def handle(name: str, ctx: RunnerContext) -> str:
        world.note("began", ctx.key)
        result = await ctx.durable_execute_async(take_a_while, name)
        world.note("ended", ctx.key)
        return str(result)

    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(inputs)]),
        handle,
        key=lambda name: name.split()[0],
        options=options,
    )
    write_outputs(results, world)

    run(env)

    outputs = world.outputs()
    assert len(outputs) == len(inputs)
    for key in range(30):
        of_key = [line for line in outputs if line.split()[0] == f"key{key}"]
        assert of_key == [f"key{key} {n}" for n in range(10)]


def most_at_once(events: list[dict[str, Any]]) -> int:
    running = most = 0
    for one in events:
        running += {"began": 1, "ended": -1}.get(one["event"], 0)
        most = max(most, running)
    return most


def test_order_per_key_with_calls_of_random_length(world: World) -> None:
    run_many_keys(world, DurableOptions())

    running: set[str] = set()
    for one in world.events():
        if one["event"] == "began":
            assert one["subject"] not in running, "two handlers of one key at a time"
            running.add(one["subject"])
        elif one["event"] == "ended":
            running.discard(one["subject"])
    assert most_at_once(world.events()) > 1, "keys should run concurrently"


@pytest.mark.parametrize(("in_flight", "pending"), [(1, 1), (3, 1), (1, 10)])
def test_small_limits_hold_and_the_job_ends(world: World, in_flight: int, pending: int) -> None:
    run_many_keys(world, DurableOptions(max_in_flight=in_flight, max_pending=pending))

    assert 1 <= most_at_once(world.events()) <= in_flight
