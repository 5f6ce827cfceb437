"""Jobs with a call log whose subtasks end at different times, and on Flink's changelog."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from crashkit import (
    JobFailed,
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
from pyflink.datastream import StreamExecutionEnvironment

from pyflink_durable import DurableOptions, DurableProcessFunction, FileCallLog, RunnerContext

pytestmark = pytest.mark.minicluster

ORDERS = [f"order-{n}" for n in range(8)]
SLOW = ORDERS[0]


def log_of(world: World) -> FileCallLog:
    return FileCallLog(directory=Path(world.folder, "log"))


class OneIsSlow(DurableProcessFunction):
    """One order makes a second call when the subtask that does not have it has ended."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def process(self, order: str, ctx: RunnerContext) -> str:
        await ctx.durable_execute_async(act, self._world, order)
        if order == SLOW:
            await ctx.durable_execute_async(wait_for_the_other_subtask, self._world)
            await ctx.durable_execute_async(act, self._world, "at the gate", in_doubt="raise")
        return order

    def close(self) -> None:
        self._world.note("subtask ended")


def wait_for_the_other_subtask(world: World) -> None:
    world.wait(lambda world: world.count("subtask ended") > 0, "the other subtask")


def test_a_call_passes_the_gate_when_the_other_subtask_has_ended(world: World) -> None:
    """With union state Flink took no checkpoint any more, and the call waited for ever."""
    env = environment(world, parallelism=2)
    inputs = scripted(env, world, [Stage(ORDERS)])
    options = DurableOptions(durability="gated", call_log=log_of(world))
    write_outputs(durable(inputs, OneIsSlow(world), options=options), world)

    run(env)

    assert Counter(world.subjects("run")) == dict.fromkeys([*ORDERS, "at the gate"], 1)
    assert sorted(world.outputs()) == ORDERS


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_the_log_goes_with_flinks_changelog(world: World, backend: str) -> None:
    """Its backend is none of the classes that the others share: every start failed."""

    async def handle(order: str, ctx: RunnerContext) -> str:
        first = await ctx.durable_execute_async(act, world, order)
        if order == SLOW:
            await world.crash_when_async(all_others_are_stuck)
            return first
        call = f"{order} stuck"
        return await ctx.durable_execute_async(
            stuck_at_first, world, call, reconciler=lambda: look_up(world, call)
        )

    env = environment(
        world,
        restarts=1,
        state__backend__type=backend,
        state__changelog__enabled="true",
        state__changelog__storage="memory",
    )
    inputs = scripted(env, world, [Stage(ORDERS)])
    options = DurableOptions(durability="write-ahead", call_log=log_of(world))
    write_outputs(durable(inputs, handle, options=options), world)

    run(env)

    stuck = [f"{order} stuck" for order in ORDERS[1:]]
    assert Counter(world.subjects("run")) == dict.fromkeys(ORDERS + stuck, 1)
    assert Counter(world.subjects("reconcile")) == dict.fromkeys(stuck, 1)
    assert len(world.outputs()) == len(ORDERS)


def all_others_are_stuck(world: World) -> bool:
    return world.count("run") == 2 * len(ORDERS) - 1


def test_a_restore_that_misses_its_log_is_refused_and_goes_on_when_it_is_back(
    world: World,
) -> None:
    """A disk that was not mounted looked like an empty log, and calls were made again."""
    disk, elsewhere = log_of(world).directory, Path(world.folder, "not-mounted")

    async def handle(order: str, ctx: RunnerContext) -> str:
        answer = await ctx.durable_execute_async(act, world, order)
        if order == SLOW and not world.crashed():
            since = world.newest_checkpoint()
            await world.wait_async(lambda world: world.is_covered(since), "a checkpoint")
            disk.rename(elsewhere)
            world.crash_once()
        return answer

    def job(restarts: int = 0, **settings: str) -> StreamExecutionEnvironment:
        env = environment(world, restarts=restarts, **settings)
        inputs = scripted(env, world, [Stage(ORDERS)])
        options = DurableOptions(durability="write-ahead", call_log=log_of(world))
        write_outputs(durable(inputs, handle, options=options), world)
        return env

    with pytest.raises(JobFailed) as failure:
        run(job(restarts=1))

    (identity,) = elsewhere.glob("*/identity/*")
    assert f"goes with the call log {identity.name}, and there is none in" in str(failure.value)
    assert "Look for the log: a disk that is not mounted" in str(failure.value)
    assert f'instead_of="{identity.name}"' in str(failure.value)
    assert not disk.exists(), "it was made anew"

    elsewhere.rename(disk)
    newest = world.newest_checkpoint()
    (checkpoint,) = (path for path in world.checkpoints.glob(f"*/chk-{newest}"))
    place = checkpoint.as_uri()
    run(job(execution__state_recovery__path=place, execution__savepoint__path=place))

    assert Counter(world.subjects("run")) == dict.fromkeys(ORDERS, 1)
    assert sorted(world.outputs()) == sorted(f"ran {order}" for order in ORDERS)
