"""Where a gated job could wait for a checkpoint that cannot run: each job here comes to its end.

The rows are those of the table in the design. A job that hangs fails its test at a deadline.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from crashkit import (
    JobFailed,
    Stage,
    World,
    act,
    cancel,
    durable,
    environment,
    failed_checkpoints,
    finish,
    last_failure,
    look_up,
    run,
    scripted,
    start,
    stop_with_savepoint,
    take_savepoint,
    write_outputs,
)
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from pyflink_durable import NOT_EXECUTED, DurableOptions, RunnerContext

pytestmark = pytest.mark.minicluster

SMALL = DurableOptions(durability="gated", max_in_flight=10, max_pending=20)
MANY = [f"order-{n}" for n in range(600)]
TASKMANAGERS = ("local__number_taskmanager", "minicluster__number_of_taskmanagers")
"""The option's names in Flink 1 and 2."""


def find(world: World, name: str) -> Any:
    """A reconciler that knows the truth."""
    return look_up(world, name) if world.count("run", name) else NOT_EXECUTED


def one_gated_call(world: World) -> Any:
    async def handle(name: str, ctx: RunnerContext) -> str:
        world.note("handle", name)
        return str(
            await ctx.durable_execute_async(act, world, name, reconciler=lambda: find(world, name))
        )

    return handle


def gated_job(
    env: StreamExecutionEnvironment,
    world: World,
    stages: list[Stage],
    *,
    options: DurableOptions = SMALL,
    handler: Any = None,
    **more: Any,
) -> None:
    inputs = scripted(env, world, stages, bounded=more.pop("bounded", True))
    results = durable(inputs, handler or one_gated_call(world), options=options, **more)
    write_outputs(results, world)


def assert_each_once(world: World, names: list[str]) -> None:
    """No call was repeated, whatever happened; each input was answered once."""
    assert Counter(world.subjects("run")) == dict.fromkeys(names, 1)
    found = {f"ran {name}" for name in names} | {f"found {name}" for name in names}
    assert sorted(output.split()[-1] for output in world.outputs()) == sorted(names)
    assert set(world.outputs()) <= found


# ------------------------------------------------------------------------------ no failure


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_full_operator_with_periodic_checkpoints(world: World, parallelism: int) -> None:
    env = environment(world, parallelism=parallelism)
    gated_job(env, world, [Stage(MANY)])

    run(env)

    assert_each_once(world, MANY)


def test_the_end_of_bounded_input_with_calls_at_the_gate(world: World) -> None:
    """The source ends at once; the calls come to the gate behind the end of the input."""
    names = MANY[:5]
    env = environment(world)
    inputs = env.from_collection(names, Types.STRING())
    write_outputs(durable(inputs, one_gated_call(world), options=SMALL), world)

    run(env)

    assert_each_once(world, names)


def test_a_hot_key(world: World) -> None:
    """Its inputs wait in line behind one that waits at the gate, and fill the operator."""
    names = [f"{key}-{n}" for n in range(20) for key in ("hot", f"cold{n}")]
    env = environment(world)
    options = DurableOptions(durability="gated", max_in_flight=4, max_pending=6)
    gated_job(env, world, [Stage(names)], options=options, key=lambda name: name.split("-")[0])

    run(env)

    assert_each_once(world, names)


def test_an_aborted_checkpoint_releases_nothing_and_the_next_one_does(world: World) -> None:
    """A task behind the operator stands still, so checkpoints run into their timeout."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == "stand still":
            return f"ran {name}"
        return str(await one_gated_call(world)(name, ctx))

    def stand_still(output: str) -> str:
        if output == "ran stand still":
            world.note("stands still")
            world.wait(lambda world: world.count("go on") > 0)
        return output

    names = MANY[:15]
    env = environment(
        world,
        execution__checkpointing__timeout="300 ms",
        execution__checkpointing__tolerable_failed_checkpoints="1000",
    )
    stages = [
        Stage(["stand still"]),
        Stage(names, when=lambda world: world.count("stands still") > 0),
    ]
    results = durable(scripted(env, world, stages), handle, options=SMALL)
    write_outputs(results.map(stand_still, Types.STRING()).disable_chaining(), world)

    job = start(env)
    world.wait(lambda world: world.count("stage") == 2, "the inputs")
    failed = failed_checkpoints(job)
    world.wait(lambda world: failed_checkpoints(job) >= failed + 3, "checkpoints that fail")
    assert world.count("run") == 0
    world.note("go on")
    finish(job)

    assert Counter(world.subjects("run")) == dict.fromkeys(names, 1)
    assert len(world.outputs()) == len(names) + 1


# ------------------------------------------------------------------------------ failures


def test_a_restore_with_more_recovered_elements_than_fit(world: World) -> None:
    """The checkpoint holds what was in the network, and all of it comes before the next one.

    In two TaskManagers, since between them elements wait at the receiver. There they are part of
    what the task has to read before it counts as running.
    """

    async def handle(name: str, ctx: RunnerContext) -> str:
        result = str(await one_gated_call(world)(name, ctx))
        if world.count("run") > 100:
            world.crash_once()
        return result

    env = environment(
        world,
        parallelism=2,
        restarts=1,
        **{name: "2" for name in TASKMANAGERS},
        taskmanager__numberOfTaskSlots="1",
    )
    gated_job(env, world, [Stage(MANY)], handler=handle)

    run(env)

    assert world.crashed()
    assert_each_once(world, MANY)


# ------------------------------------------------------------------------------ savepoints


def test_a_savepoint_while_the_operator_is_full(world: World) -> None:
    """It is aligned, and no checkpoint begins until it is done."""
    env = environment(world)
    # without an end: behind the end of its input the operator reads no barrier of a savepoint
    gated_job(env, world, [Stage(MANY)], bounded=False)

    job = start(env)
    world.wait(lambda world: world.count("run") > 0, "the first calls")
    take_savepoint(job, world)
    assert world.count("run") < len(MANY), "the operator was not full any more"
    world.wait(lambda world: len(world.outputs()) >= len(MANY), "all outputs")
    cancel(job)

    assert_each_once(world, MANY)


def test_stop_with_savepoint_does_not_wait_for_the_gate(world: World) -> None:
    """What is in flight is in the savepoint, and goes on from there; no checkpoint was taken."""
    names = MANY[:30]

    def begin(interval: str, **settings: str) -> Any:
        env = environment(world, execution__checkpointing__interval=interval, **settings)
        stages = [Stage(names)]
        gated_job(env, world, stages, bounded=False, options=DurableOptions(durability="gated"))
        return start(env)

    job = begin("1 h")
    world.wait(lambda world: world.has_all("handle", names), "the calls at the gate")
    savepoint = stop_with_savepoint(job, world)
    assert world.count("run") == 0
    job = begin(
        "100 ms", execution__state_recovery__path=savepoint, execution__savepoint__path=savepoint
    )
    world.wait(lambda world: len(world.outputs()) >= len(names), "all outputs")
    cancel(job)

    assert_each_once(world, names)


def test_stop_with_drain_names_stop_without_drain_and_the_job_goes_on(world: World) -> None:
    """Flink takes no checkpoints while it drains a job."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        for number in range(20):  # one after another, so one of them is always at the gate
            await one_gated_call(world)(f"{name}/{number}", ctx)
        return name

    env = environment(world, restarts=1, restart_strategy__fixed_delay__delay="1 s")
    options = DurableOptions(durability="gated", drain_timeout=0.5)
    gated_job(env, world, [Stage(["a", "b"])], options=options, handler=handle, bounded=False)

    job = start(env)
    world.wait(lambda world: world.count("run") >= 4, "the first calls")
    with pytest.raises(JobFailed):
        stop_with_savepoint(job, world, drain=True)
    world.wait(lambda world: len(world.outputs()) == 2, "all outputs")
    failure = last_failure(job)
    cancel(job)

    assert "2 calls wait for a checkpoint" in failure
    assert "stop it with `stop` without `--drain`" in failure
    calls = [f"{name}/{number}" for name in "ab" for number in range(20)]
    assert Counter(world.subjects("run")) == dict.fromkeys(calls, 1)
    assert sorted(world.outputs()) == ["a", "b"]


# ------------------------------------------------------------------------------ shared things


def test_more_ready_keys_than_places_and_threads_with_default_options(world: World) -> None:
    """The 64 threads of `def` handlers wait at the gate, a thousand handlers for a thread."""
    names = [f"{n}" for n in range(3_000)]

    def handle(name: str, ctx: RunnerContext) -> str:
        return str(ctx.durable_execute(act, world, name, reconciler=lambda: find(world, name)))

    env = environment(world, execution__checkpointing__interval="20 ms")
    options = DurableOptions(durability="gated")
    gated_job(env, world, [Stage(names)], options=options, handler=handle)

    run(env)

    assert_each_once(world, names)


def test_handlers_that_share_a_semaphore(world: World) -> None:
    """Who has it waits at the gate; who has a place waits for it."""
    names = MANY[:40]
    shared: list[asyncio.Semaphore] = []

    async def handle(name: str, ctx: RunnerContext) -> str:
        if not shared:
            shared.append(asyncio.Semaphore(3))
        async with shared[0]:
            return str(await one_gated_call(world)(name, ctx))

    env = environment(world, execution__checkpointing__interval="20 ms")
    options = DurableOptions(durability="gated", max_in_flight=10)
    gated_job(env, world, [Stage(names)], options=options, handler=handle)

    run(env)

    assert_each_once(world, names)
