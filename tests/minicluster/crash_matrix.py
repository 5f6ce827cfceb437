"""Runs the cells of the crash matrix: many calls in one job, all at the same place at the crash.

A cell is one call: its level, what the job may do with it when it is in doubt, and the form in
which the handler makes it. Each is an input with a key of its own. In the first attempt every cell
goes as far as the row's place and halts there; then the job fails, and a second attempt ends it.
Checkpoints are taken by hand only, so the test decides what the one before the crash holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from crashkit import DEADLINE_SECONDS, Stage, World, cancel, start, take_checkpoint
from crashkit.world import Condition
from matrix_cells import Cell, Place, Row, every_cell
from matrix_job import BLOCKER, STARTS, Scene, build
from pyflink.common import JobClient


def play(world: World, row: Row, payloads: Mapping[str, Any] | None = None) -> dict[Cell, str]:
    """Brings all cells of a row to its place, fails the job there, and lets it end.

    Args:
        world: The outside.
        row: The row.
        payloads: Options of the operators that say how payloads are written.

    Returns:
        How often each call happened, and whether somebody was asked or told that it is unknown.
    """
    cells = [cell for cell in every_cell() if row.has(cell)]
    first = [cell for cell in cells if cell.waits_at_the_gate]
    rest = [cell for cell in cells if not cell.waits_at_the_gate]
    operators = sorted({cell.operator for cell in first})
    blockers = [BLOCKER + name for name in operators if row.place is Place.IN_THE_GATE]
    stages = [
        Stage(blockers),
        Stage([*map(str, first)], when=lambda world: world.count("feed first") > 0),
        Stage([*map(str, rest)], when=lambda world: world.count("feed rest") > 0),
        Stage(["crash"], when=lambda world: world.count("feed crash") > 0),
    ]
    scene = Scene(world, row.place)
    job = start(build(scene, cells, stages, payloads or {}))
    kept = [f"{blocker} {number}" for blocker in blockers for number in range(STARTS)]
    _checkpoint_until(job, world, lambda world: world.has_all("reached", kept))
    world.note("feed first")
    if row.place not in (Place.BEFORE_PENDING, Place.PENDING, Place.IN_THE_GATE):
        # no other call may be in the checkpoint that lets these start
        _checkpoint_until(job, world, lambda world: world.has_all("started", [*map(str, first)]))
    world.note("feed rest")
    _come_to_the_place(world, scene.place, [*map(str, cells)])
    if row.checkpoint:
        take_checkpoint(job)
    world.note("feed crash")
    world.wait(World.crashed, "the crash")
    if row.place in (Place.PENDING, Place.IN_THE_GATE):
        early = set(_started_before_the_crash(world)) & {str(cell) for cell in first}
        assert not early, "calls that started without a place, or without a checkpoint"
    world.note("go on")
    outputs = len(cells) + len(blockers)
    _checkpoint_until(job, world, lambda world: len(world.outputs()) >= outputs)
    take_checkpoint(job)  # an output that came twice would be there now
    cancel(job)
    return {cell: _what_became_of(cell, world) for cell in cells}


def _come_to_the_place(world: World, place: Place, inputs: list[str]) -> None:
    order = list(Place)
    if order.index(place) > order.index(Place.STARTED):
        world.wait(lambda world: world.has_all("started", inputs), "the start of all calls")
        world.note("go on")
    if order.index(place) > order.index(Place.FINALIZED):
        world.wait(lambda world: world.crashed() or world.has_all("emitted", inputs), "all outputs")
    else:
        world.wait(lambda world: world.has_all("reached", inputs), f"all cells {place.value}")


def _started_before_the_crash(world: World) -> list[str]:
    events = world.events()
    crash = next(place for place, event in enumerate(events) if event["event"] == "crash")
    return [event["subject"] for event in events[:crash] if event["event"] == "started"]


def _checkpoint_until(job: JobClient, world: World, condition: Condition) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition(world):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no checkpoint brought it about: {world.events()[-20:]}")
        take_checkpoint(job)


def _what_became_of(cell: Cell, world: World) -> str:
    prefix = f"{cell} "
    outputs = [line.removeprefix(prefix) for line in world.outputs() if line.startswith(prefix)]
    assert len(outputs) == 1, f"{cell} has the outputs {outputs}"
    runs, asked = world.count("run", str(cell)), world.count("asked", str(cell))
    became = [str(runs)]
    if asked:
        became.append("asked" if asked == 1 else f"asked {asked} times")
    if outputs == ["unknown"]:
        became.append("unknown")
    return " ".join(became)
