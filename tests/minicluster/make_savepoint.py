"""Makes the savepoint of this release, once: `make savepoint`; see `savepoints/README.md`.

It is made by the oldest Flink and Python that are supported, since those that are newer have to
read it. The job goes on behind the savepoint and is then cancelled, as if it had crashed: what it
did meanwhile is in the call log alone.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
# For the Python inside the JVM, too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])

from crashkit import Stage, World, cancel, environment, start, take_savepoint  # noqa: E402
from released import FIRST, LAST, PAUSE_SECONDS, build  # noqa: E402

PLACES = ["idle/1", "finished/1/ship", "again/1", "unknown/1", "not-executed/1", "batch/1/sure"]
PLACES += ["batch/1/unsure", "together/1/slow", "together/1/stuck", "line/1", "logged/1/reserve"]
ATTEMPTS = 2
"""That the retried call has made."""


def main() -> None:
    release = HERE / "savepoints" / version("pyflink-durable")
    if release.exists():
        sys.exit(f"error: {release} is there: what a release has written is never written again")
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        savepoints = make(world)
        release.mkdir()
        shutil.copyfile(Path(folder, "events"), release / "events")
        shutil.copytree(Path(folder, "log"), release / "log")
        for form, place in savepoints.items():
            shutil.copytree(urlsplit(place).path, release / form)
    # The test of the savepoint needs the deadlines in it to have passed.
    time.sleep(PAUSE_SECONDS)


def make(world: World) -> dict[str, str]:
    """Runs the job, and gives the places of the savepoints by their form."""
    env = environment(
        world, state__backend__type="rocksdb", execution__checkpointing__interval="1 h"
    )
    stages = [Stage(FIRST), Stage([LAST], when=all_are_at_their_places)]
    build(env, world, stages, Path(world.folder, "log"))
    job = start(env)
    world.wait(lambda world: world.count("handled", LAST) > 0, "all at their places")
    savepoints = {form: take_savepoint(job, world, form) for form in ("canonical", "native")}
    if world.count("run", "retried/1") != ATTEMPTS or world.count("handled", "slept/1"):
        sys.exit("error: this machine was too slow for the pauses of the job: try again")
    world.note("savepoint")
    world.wait(lambda world: world.count("run", "logged/1/ship") > 0, "a call of the log alone")
    cancel(job)
    return savepoints


def all_are_at_their_places(world: World) -> bool:
    return (
        world.has_all("run", PLACES)
        and world.has_all("sleeps", ["slept/1"])
        and world.count("run", "retried/1") == ATTEMPTS
    )


if __name__ == "__main__":
    main()
