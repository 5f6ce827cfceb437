"""Checkpoints and savepoints are read without their job, whatever has written them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from crashkit import (
    Stage,
    World,
    cancel,
    durable,
    environment,
    scripted,
    start,
    take_checkpoint,
    take_savepoint,
)

from pyflink_durable import DurableOptions, RetryPolicy, RunnerContext
from pyflink_durable.commands.main import main
from pyflink_durable.snapshot import Invocation, KeptState, SnapshotError, read_snapshot

pytestmark = pytest.mark.minicluster

SAVEPOINTS = Path(__file__).parent / "savepoints"
RELEASES = sorted(folder.name for folder in SAVEPOINTS.iterdir() if folder.is_dir())
PATIENT = RetryPolicy(initial_interval=3600, jitter=0)
NAMES = ["hangs/1", "retries/1", "sleeps/1", "finished/1", "line/1", "line/2"]
STORED = [
    ("finished/1", "in doubt", ["act ended 'done'", "hang in doubt"]),
    ("hangs/1", "in doubt", ["hang in doubt"]),
    ("line/1", "in doubt", ["hang in doubt"]),
    ("line/2", "in line", []),
    ("retries/1", "retrying", ["refuse retry"]),
    ("sleeps/1", "waiting", ["act ended 'done'", "timer waiting"]),
]
FOUND_BY = {
    ("--in-doubt",): ["finished", "hangs", "line"],
    ("--name", "hang"): ["finished", "hangs", "line"],
    ("--name", "refuse"): ["retries"],
    ("--name", "timer"): ["sleeps"],
    ("--key", "line"): ["line", "line"],
    ("--older-than", "1d"): [],
}
"""One command for each kind of trouble."""
SETTINGS: dict[str, dict[str, Any]] = {
    "rocksdb-full": {
        "state__backend__type": "rocksdb",
        "execution__checkpointing__incremental": "false",
    },
    "rocksdb-incremental": {
        "state__backend__type": "rocksdb",
        "execution__checkpointing__incremental": "true",
        "parallelism": 2,
    },
    "heap": {
        "state__backend__type": "hashmap",
        "execution__checkpointing__snapshot_compression": "true",
        "parallelism": 2,
    },
    "changelog": {
        "state__backend__type": "rocksdb",
        "state__changelog__enabled": "true",
        "state__changelog__storage": "filesystem",
        "state__changelog__periodic_materialize__interval": "50 ms",
    },
}


async def hang(world: World, name: str) -> None:
    world.note("waits", name)
    await asyncio.get_running_loop().create_future()


async def act() -> str:
    return "done"


async def refuse(world: World, name: str) -> None:
    world.note("waits", name)
    raise ConnectionError("not now")


def troubles(world: World) -> Any:
    async def handle(name: str, ctx: RunnerContext) -> str:
        ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        kind = name.split("/")[0]
        if kind in ("finished", "sleeps"):
            await ctx.durable_execute_async(act, durable_id="act")
        try:
            if kind == "sleeps":
                world.note("waits", name)
                await ctx.sleep(3600)
            if kind == "retries":
                await ctx.durable_execute_async(
                    refuse, world, name, durable_id="refuse", retry=PATIENT
                )
        finally:
            world.note("left", name)  # it was parked, or the job has ended
        if kind != "idle":
            await ctx.durable_execute_async(hang, world, name, durable_id="hang")
        world.note("handled", name)
        return name

    return handle


def start_job(
    world: World,
    names: list[str],
    savepoint: str | None = None,
    options: DurableOptions | None = None,
    **settings: Any,
) -> Any:
    if savepoint is not None:
        settings |= {"execution__savepoint__path": savepoint}
    env = environment(world, execution__checkpointing__interval="1 h", **settings)
    if settings.get("state__changelog__enabled"):
        configure_changelog(env, world)
    inputs = scripted(env, world, [Stage(names)], bounded=False)
    keyed = {"key": lambda name: name.split("/")[0], "uid": "orders", "options": options}
    durable(inputs, troubles(world), **keyed).print()
    return start(env)


def configure_changelog(env: Any, world: World) -> None:
    from pyflink.common import Configuration

    configuration = Configuration()
    folder = world.folder_of("changelog").as_uri()
    configuration.set_string("dstl.dfs.base-path", folder)
    env.configure(configuration)


def wait_for_all(world: World) -> None:
    at_their_places = [name for name in NAMES if name != "line/2"]
    world.wait(lambda world: world.has_all("waits", at_their_places), "all to wait")
    world.wait(lambda world: world.count("handled", "idle/1") > 0, "the idle key")


def newest(world: World) -> Path:
    found = [path.parent for path in world.checkpoints.glob("*/chk-*/_metadata")]
    return max(found, key=lambda path: int(path.name.removeprefix("chk-")))


def described(invocation: Invocation) -> tuple[Any, ...]:
    slots = [
        f"{slot.name} {slot.condition}" + (f" {slot.result.value!r}" if slot.result else "")
        for slot in invocation.slots
    ]
    assert invocation.input is not None
    assert invocation.key == invocation.input.value.split("/")[0]
    return invocation.input.value, invocation.condition, slots


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_checkpoint_tells_what_is_in_flight(world: World, settings: dict[str, Any]) -> None:
    job = start_job(world, [*NAMES, "idle/1"], **settings)
    wait_for_all(world)
    take_checkpoint(job)
    if "state__changelog__enabled" in settings:
        world.wait(lambda world: is_materialized(job, world), "a materialization")
    cancel(job)
    parts: list[tuple[int, int]] = []

    with read_snapshot(
        newest(world), uid="orders", payloads=True, progress=lambda *part: parts.append(part)
    ) as snapshot:
        (operator,) = snapshot.operators
        found = sorted(map(described, snapshot.invocations()))

    assert found == STORED
    assert operator.uid == "orders"
    assert parts[-1][0] == parts[-1][1] >= settings.get("parallelism", 1)


def is_materialized(job: Any, world: World) -> bool:
    take_checkpoint(job)
    with read_snapshot(newest(world)) as snapshot:
        return bool(snapshot.operators)


def test_a_savepoint_of_a_rescaled_job(world: World) -> None:
    """Two of its invocations are parked: they are as much in flight as the others."""
    settings = {"state__backend__type": "rocksdb", "options": DurableOptions(park_after=0.1)}
    before = start_job(world, [*NAMES, "idle/1"], parallelism=2, **settings)
    wait_for_all(world)
    world.wait(lambda world: world.has_all("left", ["retries/1", "sleeps/1"]), "two to be parked")
    savepoint = take_savepoint(before, world, "native")
    cancel(before)
    after = start_job(world, [], savepoint, parallelism=3, **settings)
    world.wait(lambda world: world.count("waits", "line/1") == 2, "the restored job")
    again = take_savepoint(after, world, "native")
    cancel(after)

    with read_snapshot(again, payloads=True, all_state=True) as snapshot:
        contents = list(snapshot)

    invocations = [one for one in contents if isinstance(one, Invocation)]
    assert sorted(map(described, invocations)) == STORED
    assert {one.key for one in invocations if one.parked} == {"retries", "sleeps"}
    kept = {one.key: one.values["seen"].value for one in contents if isinstance(one, KeptState)}
    assert kept == {"idle": 1}

    for arguments, found in FOUND_BY.items():
        done = CliRunner().invoke(main, ["inspect", again, "--json", *arguments])
        assert [json.loads(line)["key"] for line in sorted(done.stdout.splitlines())] == found
        assert done.exit_code == int("in doubt" in done.stdout)


@pytest.mark.parametrize("form", ["canonical", "native"])
@pytest.mark.parametrize("release", RELEASES)
def test_savepoints_of_all_releases(release: str, form: str) -> None:
    with read_snapshot(SAVEPOINTS / release / form, uid="in-state") as snapshot:
        found = {
            (one.key, one.place): [(slot.name, slot.condition) for slot in one.slots]
            for one in snapshot.invocations()
        }

    assert found[("finished", 0)] == [
        ("released.Outside.pay#b1c79ccee893cc57", "ended"),
        ("released.Outside.refuse", "failed"),
        ("released.Outside.hang", "in doubt"),
    ]
    assert found[("slept", 0)] == [("moment", "ended"), ("timer", "waiting")]
    assert found[("retried", 0)] == [("released.Outside.refuse", "retry")]
    assert found[("batch", 0)][-1] == ("in-line", "in line")
    assert found[("line", 2)] == []
    assert len(found) == 11


@pytest.fixture
def savepoint() -> Iterator[Path]:
    yield SAVEPOINTS / RELEASES[0] / "canonical"


def test_payloads_are_there_only_if_asked_for(savepoint: Path) -> None:
    with read_snapshot(savepoint, uid="in-state") as snapshot:
        payloads = [slot.result for one in snapshot.invocations() for slot in one.slots]
    told = [payload for payload in payloads if payload is not None]

    assert {payload.data for payload in told} == {None}
    assert all(payload.size for payload in told)


@pytest.mark.parametrize(
    ("place", "uid", "message"),
    [
        ("nowhere", None, "nowhere"),
        (None, "other", "no durable operator with the uid 'other'"),
    ],
)
def test_what_cannot_be_read_is_said(
    savepoint: Path, tmp_path: Path, place: str | None, uid: str | None, message: str
) -> None:
    path = savepoint if place is None else tmp_path / place

    with pytest.raises(SnapshotError, match=message), read_snapshot(path, uid=uid) as snapshot:
        list(snapshot)


def test_a_snapshot_may_be_left_in_the_middle(savepoint: Path) -> None:
    with read_snapshot(savepoint) as snapshot:
        first = next(snapshot.invocations())

    assert first.key is not None
