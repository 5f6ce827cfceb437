"""Every level on every backend, with and without a log, comes to its end.

CI runs as many jobs as hold each pair of values; ``pytest tests/minicluster/test_level_matrix.py
--full-matrix`` runs them all, for half an hour or so. A job that hangs fails at a deadline. The
Kafka log needs a broker: e2e.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    act,
    cancel,
    check,
    durable,
    environment,
    finish,
    finished_subtasks,
    look_up,
    scripted,
    start,
    write_outputs,
)
from crashkit.calls import act_async
from level_matrix import Case, full_matrix, pairwise_matrix
from pyflink.common import JobClient

from pyflink_durable import NOT_EXECUTED, DurableOptions, FileCallLog, RunnerContext

pytestmark = pytest.mark.minicluster

PLACES = 4
LAST = "last"
FINISHED = "a subtask has finished"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full-matrix")
        metafunc.parametrize("case", full_matrix() if full else pairwise_matrix(), ids=str)


def test_the_job_ends_and_repeats_nothing(world: World, case: Case) -> None:
    names = [LAST, *(f"{n}" for n in range(2 if case.load == "few keys" else 10 * PLACES))]
    env = environment(world, parallelism=case.parallelism, **case.settings)
    inputs = scripted(env, world, [Stage(names)], bounded=case.input == "bounded")
    write_outputs(durable(inputs, handler_of(world, case), options=options_of(world, case)), world)

    job = start(env)
    if case.ends == "uneven":
        wait_for(world, job, lambda: has_finished_one(world, job))
        world.note(FINISHED, checkpoint=world.newest_checkpoint())
    if case.input == "bounded":
        finish(job)
    else:
        wait_for(world, job, lambda: len(world.outputs()) >= len(names))
        cancel(job)

    assert sorted(world.outputs()) == sorted(names)
    calls = [call for name in names for call in calls_of(name)]
    assert Counter(world.subjects("run")) == dict.fromkeys(calls, 1)


def wait_for(world: World, job: JobClient, condition: Callable[[], bool]) -> None:
    """Waits for a condition, or fails with what the job has failed with."""

    def holds(world: World) -> bool:
        if not condition():
            check(job)
            return False
        return True

    world.wait(holds, "the next thing of a job that goes on")


def has_finished_one(world: World, job: JobClient) -> bool:
    return world.count("run") > 0 and finished_subtasks(job, "durable") > 0


def calls_of(name: str) -> list[str]:
    return [f"{name}/{n}" for n in range(2)]


def options_of(world: World, case: Case) -> DurableOptions:
    log = FileCallLog(directory=world.folder_of("log")) if case.log == "file" else None
    return DurableOptions(
        durability=case.level,
        call_log=log,
        max_in_flight=PLACES,
        max_pending=2 * PLACES,
        handler_threads=PLACES // 2,
    )


def handler_of(world: World, case: Case) -> Any:
    """Makes its calls one after another; the last to end goes on when another subtask is gone."""

    def find(name: str) -> Any:
        return look_up(world, name) if world.count("run", name) else NOT_EXECUTED

    def waits(name: str) -> bool:
        return case.ends == "uneven" and name == LAST

    async def handle(name: str, ctx: RunnerContext) -> str:
        function = act_async if case.form == "coroutines" else act
        if waits(name):
            await ctx.durable_execute_async(world.wait, checkpoints_go_on)
        for call in calls_of(name):
            found = partial(find, call)
            await ctx.durable_execute_async(function, world, call, reconciler=found)
        return name

    def handle_on_thread(name: str, ctx: RunnerContext) -> str:
        if waits(name):
            ctx.durable_execute(world.wait, checkpoints_go_on)
        for call in calls_of(name):
            ctx.durable_execute(act, world, call, reconciler=partial(find, call))
        return name

    return handle_on_thread if case.form == "def" else handle


def checkpoints_go_on(world: World) -> bool:
    """Whether checkpoints complete without the subtask that has finished."""
    finished = world.events(FINISHED)
    return bool(finished) and world.is_covered(finished[0]["checkpoint"])
