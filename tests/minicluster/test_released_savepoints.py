"""The savepoints of all releases go on in this one; `released.py` says what is in them."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from crashkit import Stage, World, cancel, check, environment, start, write_outputs
from crashkit.sealed import MARK, sealed
from released import Refused, build

pytestmark = pytest.mark.minicluster

SAVEPOINTS = Path(__file__).parent / "savepoints"
RELEASES = sorted(folder.name for folder in SAVEPOINTS.iterdir() if folder.is_dir())

AFTERWARDS = "idle/3"
ATTEMPTS = {
    # the calls that run, and which attempt that is
    "idle/3": 1,
    "again/1": 2,
    "not-executed/1": 2,
    "retried/1": 3,
    "batch/1/unsure": 2,
    "batch/1/in-line": 1,
    "line/2": 1,
    "line/3": 1,
}
RECONCILED = ["finished/1/ship", "not-executed/1", "batch/1/sure", "together/1/stuck", "line/1"]
RECONCILED += ["logged/1/ship"]
BATCH = "ran batch/1/ended-1, ran batch/1/ended-2, found batch/1/sure, ran batch/1/unsure"
OUTPUTS = [
    "idle/3 is number 3, of time 3: ran idle/3",
    "finished/1 is number 1, of time 1: 10.10, finished/1/refuse is refused, found finished/1/ship",
    "again/1 is number 1, of time 1: ran again/1",
    "unknown/1 is number 1, of time 1: unknown is released.Outside.hang",
    "not-executed/1 is number 1, of time 1: ran not-executed/1",
    "retried/1 is number 1, of time 1: ran retried/1",
    f"batch/1 is number 1, of time 1: {BATCH}, ran batch/1/in-line",
    "together/1 is number 1, of time 1: "
    "ran together/1/quick, ran together/1/slow, found together/1/stuck",
    "line/1 is number 1, of time 1: found line/1",
    "line/2 is number 2, of time 2: ran line/2",
    "line/3 is number 3, of time 3: ran line/3",
    "logged/1 is number 1, of time 1: ran logged/1/reserve, found logged/1/ship",
]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("form", "backend", "parallelism", "time_to_live"),
    [
        ("canonical", "hashmap", 1, None),
        ("canonical", "rocksdb", 2, 86_400),
        ("native", "rocksdb", 1, None),
    ],
)
def test_all_goes_on_from_where_it_was(
    world: World,
    release: str,
    form: str,
    backend: str,
    parallelism: int,
    time_to_live: float | None,
) -> None:
    assert_goes_on(world, release, form, backend, parallelism, time_to_live, {})


@pytest.mark.parametrize("release", RELEASES)
def test_all_goes_on_in_json_and_encrypted(world: World, release: str) -> None:
    """Slots of pickles are replayed, and new ones are in the new way."""
    payloads = sealed(errors=[Refused])
    assert_goes_on(world, release, "canonical", "hashmap", 1, None, payloads)
    newest = max(world.checkpoints.rglob("chk-*"), key=lambda folder: int(folder.name[4:]))
    assert any(MARK in file.read_bytes() for file in newest.iterdir())


def assert_goes_on(
    world: World,
    release: str,
    form: str,
    backend: str,
    parallelism: int,
    time_to_live: float | None,
    payloads: dict[str, Any],
) -> None:
    before = World(str(SAVEPOINTS / release))
    log = Path(world.folder, "log")
    shutil.copytree(Path(before.folder, "log"), log)

    goes_on_from(
        world, Path(before.folder, form), log, backend, parallelism, time_to_live, payloads
    )

    attempts = {one["subject"]: one["attempt"] for one in world.events("run")}
    assert Counter(world.subjects("run")) == dict.fromkeys(ATTEMPTS, 1)
    assert attempts == ATTEMPTS
    assert Counter(world.subjects("reconcile")) == dict.fromkeys(RECONCILED, 1)
    (slept,) = before.events("sleeps")
    assert sorted(world.outputs()) == sorted(
        [*OUTPUTS, f"slept/1 is number 1, of time 1: {slept['seen']}"]
    )
    assert_same_idempotency_keys(before, world)


def goes_on_from(
    world: World,
    savepoint: Path,
    log: Path,
    backend: str,
    parallelism: int,
    time_to_live: float | None,
    payloads: dict[str, Any],
) -> None:
    place = savepoint.as_uri()
    env = environment(
        world,
        parallelism=parallelism,
        state__backend__type=backend,
        execution__state_recovery__path=place,
        execution__state_recovery__ignore_unclaimed_state="true",
        # the same for Flink 1
        execution__savepoint__path=place,
        execution__savepoint__ignore_unclaimed_state="true",
    )
    answers = build(env, world, [Stage([AFTERWARDS])], log, time_to_live, payloads)
    write_outputs(answers, world)
    job = start(env)
    world.wait(lambda world: check(job) or len(world.outputs()) > len(OUTPUTS), "all outputs")
    cancel(job)


def assert_same_idempotency_keys(before: World, world: World) -> None:
    """A call has the same in every release, and no other call has it."""
    events = [one for one in [*before.events(), *world.events()] if "key" in one]
    keys = {(one["subject"], one["key"]) for one in events}
    calls = {subject for subject, _ in keys}
    assert len(keys) == len(calls) == len({key for _, key in keys})
