"""A cancelled job ends whatever its calls are doing, and they leave no thread behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from crashkit import (
    Stage,
    Style,
    World,
    call_in,
    cancel,
    durable,
    environment,
    run,
    scripted,
    start,
    stuck_at_first,
    write_outputs,
)

from pyflink_durable import DurableOptions, RunnerContext

pytestmark = pytest.mark.minicluster

CALLS = [f"call-{n}" for n in range(100)]


def threads_in_the_jobs_python(prefix: str) -> list[str]:
    """Called inside a job: all jobs of this JVM share one Python, and so its list of threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)]


@pytest.mark.parametrize(
    "style", [Style.POOL, Style.COROUTINE, Style.DEF], ids=lambda style: style.name.lower()
)
def test_cancel_with_100_calls_running(world: World, style: Style) -> None:
    async def handle(name: str, ctx: RunnerContext) -> str:
        return str(await call_in(style, ctx, stuck_at_first, world, name))

    def handle_on_thread(name: str, ctx: RunnerContext) -> str:
        return ctx.durable_execute(stuck_at_first, world, name)

    cancelled = f"cancelled-{style.name}"
    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(CALLS)], bounded=False),
        handle_on_thread if style is Style.DEF else handle,
        name=cancelled,
        options=DurableOptions(call_threads=100, handler_threads=100, close_timeout=0.5),
    )
    write_outputs(results, world)
    client = start(env)
    world.wait(lambda world: world.has_all("run", CALLS), "100 calls running")

    cancel(client)  # ends while the threads still hang
    world.release_calls()

    left = threads_after(world, f"durable-{cancelled}")
    assert left == []
    assert world.subjects("run").count(CALLS[0]) == 1
    assert world.outputs() == []


def threads_after(world: World, prefix: str) -> Any:
    """What a job that runs next still finds when it has waited."""

    def survey(name: str, ctx: RunnerContext) -> None:
        world.note("own threads", names=threads_in_the_jobs_python("durable-survey"))
        try:
            world.wait(lambda _: not threads_in_the_jobs_python(prefix), "the threads' end")
        finally:
            world.note("threads left", names=threads_in_the_jobs_python(prefix))

    next_world = World(str(world.folder_of("next")))
    Path(next_world.folder).mkdir()
    env = environment(next_world)
    inputs = scripted(env, next_world, [Stage(["look"])])
    write_outputs(durable(inputs, survey, name="survey"), next_world)
    run(env)
    assert world.events("own threads")[0]["names"], "the survey does not see threads"
    return world.events("threads left")[0]["names"]
