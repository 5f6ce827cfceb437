"""A real failover with a checkpoint in the middle of a batch."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    act,
    durable,
    environment,
    look_up,
    run,
    scripted,
    stuck_at_first,
    write_outputs,
)
from crashkit.calls import act_async, stuck_at_first_async

from pyflink_durable import DurableCall, DurableOptions, Outcomes, RunnerContext

pytestmark = pytest.mark.minicluster

CRASH = "crash"
KEYS = ["x", "y", "z"]
ENDED = ["ended-1", "ended-2", "ended-3"]
SURE = ["sure-1", "sure-2"]  # they have a reconciler
UNSURE = ["unsure"]
IN_LINE = ["in-line-1", "in-line-2"]  # no more than three run at a time
LIMIT = 3


def names(*kinds: list[str]) -> list[str]:
    return [f"{key}/{name}" for key in KEYS for kind in kinds for name in kind]


def batch_of(world: World, key: str, coroutines: bool) -> list[DurableCall]:
    quick = act_async if coroutines else act
    stuck = stuck_at_first_async if coroutines else stuck_at_first

    def call(func: Any, name: str, **options: Any) -> DurableCall:
        return DurableCall(func, (world, f"{key}/{name}"), durable_id=name, **options)

    return [
        *(call(quick, name) for name in ENDED),
        *(call(stuck, name, reconciler=partial(look_up, world, f"{key}/{name}")) for name in SURE),
        *(call(stuck, name) for name in UNSURE),
        *(call(quick, name) for name in IN_LINE),
    ]


def told(outcomes: Outcomes) -> str:
    """What became of each call, as far as it is the same however often the job failed."""
    marks = ("replayed", "reconciled")
    return " ".join(
        "/".join([outcome.value, *(mark for mark in marks if getattr(outcome, mark))])
        for outcome in outcomes
    )


def handlers(world: World, crash_when: Any) -> dict[str, Any]:
    async def make(key: str, ctx: RunnerContext, coroutines: bool) -> str:
        if key == CRASH:
            await world.crash_when_async(crash_when)
            return key
        batch = batch_of(world, key, coroutines)
        return told(await ctx.durable_execute_all_async(batch, max_parallelism=LIMIT))

    async def of_coroutines(key: str, ctx: RunnerContext) -> str:
        return await make(key, ctx, True)

    async def of_functions(key: str, ctx: RunnerContext) -> str:
        return await make(key, ctx, False)

    def in_def(key: str, ctx: RunnerContext) -> str:
        if key == CRASH:
            world.crash_when(crash_when)
            return key
        batch = batch_of(world, key, False)
        return told(ctx.durable_execute_all(batch, max_parallelism=LIMIT))

    return {"coroutines": of_coroutines, "functions": of_functions, "def": in_def}


def run_job(world: World, handler: Any, backend: str, **options: Any) -> None:
    env = environment(world, restarts=1, state__backend__type=backend)
    keys = scripted(env, world, [Stage([*KEYS, CRASH]), Stage([], when=World.crashed)])
    write_outputs(durable(keys, handler, options=DurableOptions(**options)), world)
    run(env)
    assert world.crashed()


def middle_is_in_a_checkpoint(world: World) -> bool:
    begun = {one["subject"]: one["checkpoint"] for one in world.events("run")}
    return set(begun) == set(names(ENDED, SURE, UNSURE)) and world.is_covered(max(begun.values()))


@pytest.mark.parametrize(
    ("form", "backend"),
    [("coroutines", "hashmap"), ("functions", "hashmap"), ("def", "hashmap"), ("def", "rocksdb")],
)
def test_a_checkpoint_in_the_middle_of_a_batch(world: World, form: str, backend: str) -> None:
    run_job(world, handlers(world, middle_is_in_a_checkpoint)[form], backend)

    once, twice = names(ENDED, SURE, IN_LINE), names(UNSURE)
    assert Counter(world.subjects("run")) == dict.fromkeys(once, 1) | dict.fromkeys(twice, 2)
    assert Counter(world.subjects("reconcile")) == dict.fromkeys(names(SURE), 1)
    expected = [
        " ".join(
            [f"ran {key}/{name}/replayed" for name in ENDED]
            + [f"found {key}/{name}/reconciled" for name in SURE]
            + [f"ran {key}/{name}" for name in UNSURE + IN_LINE]
        )
        for key in KEYS
    ]
    assert sorted(world.outputs()) == sorted([*expected, CRASH])


@pytest.mark.parametrize("form", ["coroutines", "def"])
def test_at_the_gated_level_what_started_is_never_repeated(world: World, form: str) -> None:
    """Whatever the last checkpoint holds: the crash waits for none."""

    def all_have_started(world: World) -> bool:
        return world.has_all("run", names(ENDED, SURE, UNSURE))

    run_job(world, handlers(world, all_have_started)[form], "hashmap", durability="gated")

    runs = Counter(world.subjects("run"))
    assert {name: runs[name] for name in names(SURE)} == dict.fromkeys(names(SURE), 1)
    assert Counter(world.subjects("reconcile")) == dict.fromkeys(names(SURE), 1)
    assert {name: runs[name] for name in names(IN_LINE)} == dict.fromkeys(names(IN_LINE), 1)
    assert len(world.outputs()) == len(KEYS) + 1
