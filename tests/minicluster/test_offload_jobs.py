"""Large results in a store: checkpoints stay small, and old objects go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from crashkit import (
    Stage,
    World,
    cancel,
    check,
    durable,
    environment,
    scripted,
    start,
    stop_with_savepoint,
    write_outputs,
)
from crashkit.calls import stuck_at_first_async

from pyflink_durable import DurableOptions, Offload, RunnerContext
from pyflink_durable.commands.main import main
from pyflink_durable.payload.offload import Address

pytestmark = pytest.mark.minicluster

LARGE = 50 * 2**20


def report(number: int) -> bytes:
    return bytes([number]) * LARGE


def goes_on_from(world: World, store: Offload, savepoint: str | None) -> Any:
    async def handle(name: str, ctx: RunnerContext) -> str:
        first = await ctx.durable_execute_async(report, 1)
        second = await ctx.durable_execute_async(report, 2)
        await ctx.durable_execute_async(stuck_at_first_async, world, name)
        return f"{len(first)} {len(second)} {first[-1]}{second[-1]}"

    settings = {} if savepoint is None else {"execution__savepoint__path": savepoint}
    env = environment(world, **settings)
    inputs = scripted(env, world, [Stage(["a"])], bounded=False)
    write_outputs(durable(inputs, handle, options=DurableOptions(offload=store)), world)
    return start(env)


def test_snapshots_of_large_results_are_small_and_keep_their_objects(world: World) -> None:
    store = Offload(world.folder_of("store").as_uri())
    job = goes_on_from(world, store, None)
    world.wait(lambda world: check(job) or world.count("run", "a") == 1, "the third call")
    savepoint = stop_with_savepoint(job, world)

    files = [path for path in Path(savepoint.removeprefix("file:")).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
    nobodys = b"nobody names this"
    store.put(Address.of(nobodys), nobodys)
    objects = [path for path in world.folder_of("store").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in objects) > 2 * LARGE
    for path in objects:
        os.utime(path, (0, 0))

    done = CliRunner().invoke(
        main, ["offload", "gc", store.url, "--older-than", "1h", "--checkpoints", savepoint]
    )

    assert done.output.startswith("1 checkpoints name 2 objects; deleted 2 objects"), done.output
    left = [path for path in world.folder_of("store").rglob("*") if path.is_file()]
    assert [path.stat().st_size > LARGE for path in left] == [True, True]
    job = goes_on_from(world, store, savepoint)
    world.wait(lambda world: check(job) or bool(world.outputs()), "the output")
    cancel(job)
    assert world.outputs() == [f"{LARGE} {LARGE} 12"]
