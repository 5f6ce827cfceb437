"""A task fails before, during and after a checkpoint, with calls made in each style."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from crashkit import (
    DEADLINE_SECONDS,
    Stage,
    Style,
    World,
    act,
    call_in,
    durable,
    environment,
    look_up,
    run,
    scripted,
    stuck_at_first,
    write_outputs,
)

from pyflink_durable import RunnerContext

pytestmark = pytest.mark.minicluster

EARLY = [f"early-{n}" for n in range(6)]
LATE = [f"late-{n}" for n in range(6)]
CRASH = "crash"

backends = pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
styles = pytest.mark.parametrize("style", list(Style), ids=lambda style: style.name.lower())


def run_job(world: World, backend: str, stages: list[Stage], handler: Any) -> None:
    env = environment(world, restarts=1, state__backend__type=backend)
    # the input goes on until the crash: at its end, aligned checkpoints wait for what is in flight
    orders = scripted(env, world, [*stages, Stage([], when=World.crashed)])
    write_outputs(durable(orders, handler), world)
    run(env)
    assert world.crashed()


def two_calls_each(world: World, style: Style, crash_when: Any) -> Any:
    """Two quick calls for every input; the input CRASH fails the task once a condition holds."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            await world.crash_when_async(crash_when)
            return name
        first = await call_in(style, ctx, act, world, f"{name}/1")
        second = await call_in(style, ctx, act, world, f"{name}/2")
        return f"{name}: {first}, {second}"

    def handle_on_thread(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            world.crash_when(crash_when)
            return name
        first = ctx.durable_execute(act, world, f"{name}/1")
        second = ctx.durable_execute(act, world, f"{name}/2")
        return f"{name}: {first}, {second}"

    return handle_on_thread if style is Style.DEF else handle


def calls_of(names: list[str]) -> list[str]:
    return [f"{name}/{number}" for name in names for number in (1, 2)]


def output_of(name: str) -> str:
    return f"{name}: ran {name}/1, ran {name}/2"


@backends
@styles
def test_failure_before_any_checkpoint_starts_over(
    world: World, style: Style, backend: str
) -> None:
    stages = [Stage([*EARLY, CRASH], hold=World.crashed)]
    handler = two_calls_each(world, style, lambda world: world.has_all("run", calls_of(EARLY)))

    run_job(world, backend, stages, handler)

    assert Counter(world.subjects("run")) == dict.fromkeys(calls_of(EARLY), 2)
    assert sorted(world.outputs()) == sorted([*map(output_of, EARLY), CRASH])


@backends
@styles
def test_calls_finished_before_the_checkpoint_never_run_again(
    world: World, style: Style, backend: str
) -> None:
    """What came after it is run again, and its outputs still appear once."""

    def early_inputs_are_in_a_checkpoint(world: World) -> bool:
        # that a call has run says nothing of its outcome, which a starved thread still has
        return set(map(output_of, EARLY)) <= set(world.outputs())

    stages = [
        Stage(EARLY),
        Stage([*LATE, CRASH], when=early_inputs_are_in_a_checkpoint, hold=World.crashed),
    ]
    handler = two_calls_each(world, style, lambda world: world.has_all("run", calls_of(LATE)))

    run_job(world, backend, stages, handler)

    expected = dict.fromkeys(calls_of(EARLY), 1) | dict.fromkeys(calls_of(LATE), 2)
    assert Counter(world.subjects("run")) == expected
    assert sorted(world.outputs()) == sorted([*map(output_of, EARLY + LATE), CRASH])


# -------------------------------------------------------------------- in flight at the checkpoint

SURE = [f"sure-{n}" for n in range(4)]  # their second call has a reconciler
BLIND = [f"blind-{n}" for n in range(4)]  # theirs has none


def second_calls_are_in_a_checkpoint(world: World) -> bool:
    runs = {one["subject"]: one for one in world.events("run")}
    seconds = [f"{name}/2" for name in SURE + BLIND]
    return all(call in runs for call in seconds) and world.is_covered(
        max(runs[call]["checkpoint"] for call in seconds)
    )


@backends
@pytest.mark.parametrize(
    "style", [Style.POOL, Style.COROUTINE, Style.DEF], ids=lambda style: style.name.lower()
)
def test_calls_in_flight_at_the_checkpoint_are_in_doubt(
    world: World, style: Style, backend: str
) -> None:
    def reconciler_of(name: str) -> Any:
        return (lambda: look_up(world, f"{name}/2")) if name in SURE else None

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            await world.crash_when_async(second_calls_are_in_a_checkpoint)
            return name
        first = await call_in(style, ctx, act, world, f"{name}/1")
        second = await call_in(
            style, ctx, stuck_at_first, world, f"{name}/2", reconciler=reconciler_of(name)
        )
        third = await call_in(style, ctx, act, world, f"{name}/3")
        return f"{first}, {second}, {third}"

    def handle_on_thread(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            world.crash_when(second_calls_are_in_a_checkpoint)
            return name
        first = ctx.durable_execute(act, world, f"{name}/1")
        second = ctx.durable_execute(
            stuck_at_first, world, f"{name}/2", reconciler=reconciler_of(name)
        )
        third = ctx.durable_execute(act, world, f"{name}/3")
        return f"{first}, {second}, {third}"

    handler = handle_on_thread if style is Style.DEF else handle
    run_job(world, backend, [Stage([*SURE, *BLIND, CRASH])], handler)

    runs = Counter(world.subjects("run"))
    for name in SURE:
        assert [runs[f"{name}/{call}"] for call in (1, 2, 3)] == [1, 1, 1]
    for name in BLIND:
        assert [runs[f"{name}/{call}"] for call in (1, 2, 3)] == [1, 2, 1]
    assert Counter(world.subjects("reconcile")) == {f"{name}/2": 1 for name in SURE}
    assert sorted(world.outputs()) == sorted(
        [f"ran {name}/1, found {name}/2, ran {name}/3" for name in SURE]
        + [f"ran {name}/1, ran {name}/2, ran {name}/3" for name in BLIND]
        + [CRASH]
    )


@backends
def test_a_sync_handler_that_waits_at_the_checkpoint_replays(world: World, backend: str) -> None:
    """Its calls hold the task, so none is in doubt at a checkpoint; the handler itself may be."""

    def first_calls_are_in_a_checkpoint(world: World) -> bool:
        waiting = {one["subject"]: one["checkpoint"] for one in world.events("waits")}
        return len(waiting) == len(EARLY) and world.is_covered(max(waiting.values()))

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            await world.crash_when_async(first_calls_are_in_a_checkpoint)
            return name
        first = ctx.durable_execute(act, world, f"{name}/1")
        if world.first_time(f"{name} waits"):
            world.note("waits", name, checkpoint=world.newest_checkpoint())
            await asyncio.sleep(DEADLINE_SECONDS)  # the crash comes first
        second = ctx.durable_execute(act, world, f"{name}/2")
        return f"{name}: {first}, {second}"

    run_job(world, backend, [Stage([*EARLY, CRASH])], handle)

    assert Counter(world.subjects("run")) == dict.fromkeys(calls_of(EARLY), 1)
    assert sorted(world.outputs()) == sorted([*map(output_of, EARLY), CRASH])
