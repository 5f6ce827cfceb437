"""The job of the crash matrix: the outside, the handlers that halt at a place, the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crashkit import Stage, Style, World, durable, environment, scripted, write_outputs
from crashkit.world import Condition
from matrix_cells import LEVELS, Cell, Place
from pyflink.common import Types
from pyflink.datastream import DataStream

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    FileCallLog,
    OutcomeUnknown,
    RunnerContext,
)

BLOCKER = "blocker of "
"""An input that takes the only place of its operator, so that what is released has to wait."""

STARTS = 2
"""A blocker makes as many calls, and leaves a place for the cells."""


@dataclass(frozen=True)
class Scene:
    """What the code in the job knows of its row."""

    world: World
    place: Place

    def reaches(self, cell: str, *places: Place) -> bool:
        """Tells the test that a cell is at the row's place, if it is, in the first attempt."""
        if self.place in places and self.world.first_time(f"halt of {cell}"):
            self.world.note("reached", cell)
            return True
        return False

    def halt(self, cell: str, *places: Place) -> None:
        """Blocks this thread if the row's place is one of these, in the first attempt."""
        if self.reaches(cell, *places):
            self.wait_on_thread(lambda world: False)

    async def halt_async(self, cell: str, *places: Place) -> None:
        """As `halt`, until the crash cancels the task; takes no slot of the journal."""
        if self.reaches(cell, *places):
            await asyncio.get_running_loop().create_future()

    def wait_on_thread(self, condition: Condition) -> None:
        """Waits, but not beyond the crash: a thread that outlives its task touches nothing."""
        releases = self.world.releases()
        self.world.wait(lambda world: condition(world) or world.is_released(releases))
        if self.world.is_released(releases):
            raise SystemExit("the task of this call has ended")


# ------------------------------------------------------------------------------ the outside


def happen(scene: Scene, cell: str) -> str:
    """The outside call: from `run` on it has happened."""
    scene.world.note("started", cell)
    scene.halt(cell, Place.PENDING, Place.STARTED)
    scene.wait_on_thread(may_go_on)
    scene.world.note("run", cell)
    scene.halt(cell, Place.HAPPENED)
    return "ran"


async def happen_async(scene: Scene, cell: str) -> str:
    scene.world.note("started", cell)
    await scene.halt_async(cell, Place.PENDING, Place.STARTED)
    await scene.world.wait_async(may_go_on, "the word to go on")
    scene.world.note("run", cell)
    await scene.halt_async(cell, Place.HAPPENED)
    return "ran"


async def keep_a_start(scene: Scene, name: str) -> None:
    """Is one of the gated calls that may run at a time: no other starts, let through or not."""
    await scene.halt_async(name, Place.IN_THE_GATE)


def may_go_on(world: World) -> bool:
    return world.count("go on") > 0


def look_up(scene: Scene, cell: str) -> Any:
    """The reconciler, which knows the truth."""
    scene.world.note("asked", cell)
    return "found" if scene.world.count("run", cell) else NOT_EXECUTED


# ------------------------------------------------------------------------------ the handlers


def call_options(scene: Scene, cell: Cell) -> dict[str, Any]:
    if cell.in_doubt == "ask":
        return {"reconciler": lambda: look_up(scene, str(cell))}
    return {"in_doubt": "raise"} if cell.in_doubt == "raise" else {}


async def call_on_the_loop(scene: Scene, cell: Cell, ctx: RunnerContext) -> Any:
    name, options = str(cell), call_options(scene, cell)
    if cell.style is Style.SYNC:
        return ctx.durable_execute(happen, scene, name, **options)
    func = happen_async if cell.style is Style.COROUTINE else happen
    call = asyncio.gather(ctx.durable_execute_async(func, scene, name, **options))
    if cell.waits_at_the_gate:
        await scene.halt_async(name, Place.PENDING)  # the gather has started the call
        scene.reaches(name, Place.IN_THE_GATE)
    return (await call)[0]


def handler_on_the_loop(scene: Scene) -> Any:
    async def handle(name: str, ctx: RunnerContext) -> str:
        if name.startswith(BLOCKER):
            starts = [f"{name} {number}" for number in range(STARTS)]
            await asyncio.gather(
                *(
                    ctx.durable_execute_async(keep_a_start, scene, start, durability="gated")
                    for start in starts
                )
            )
            return name
        await scene.halt_async(name, Place.BEFORE_PENDING)
        try:
            result = await call_on_the_loop(scene, Cell.parse(name), ctx)
        except OutcomeUnknown:
            result = "unknown"
        await scene.halt_async(name, Place.FINALIZED)
        return f"{name} {result}"

    return handle


def handler_on_a_thread(scene: Scene) -> Any:
    def handle(name: str, ctx: RunnerContext) -> str:
        scene.halt(name, Place.BEFORE_PENDING)
        cell = Cell.parse(name)
        if cell.waits_at_the_gate:
            scene.reaches(name, Place.PENDING)  # a moment early: the next line holds the thread
        try:
            result = ctx.durable_execute(happen, scene, name, **call_options(scene, cell))
        except OutcomeUnknown:
            result = "unknown"
        scene.halt(name, Place.FINALIZED)
        return f"{name} {result}"

    return handle


# ------------------------------------------------------------------------------ the job


def crash_on(crash: str, world: World) -> Callable[[str], str]:
    """A map that fails the task at one input, the first time."""

    def check(value: str) -> str:
        if value == crash:
            world.crash_once()
        return value

    return check


def crash_at_the_last(cells: list[str], event: str, crashes: bool, world: World) -> Any:
    """A map that notes the outputs that come by, and fails at the last one if it is to."""

    def check(output: str) -> str:
        world.note(event, output.split()[0])
        if crashes and world.has_all(event, cells):
            world.crash_once()
        return output

    return check


def build(scene: Scene, cells: list[Cell], stages: list[Stage], payloads: Mapping[str, Any]) -> Any:
    """One durable operator for each group of cells, and a task behind them all."""
    world, names = scene.world, [str(cell) for cell in cells]
    env = environment(
        world,
        restarts=1,
        execution__checkpointing__interval="1 h",
    )
    inputs = scripted(env, world, stages, bounded=False)
    inputs = inputs.map(crash_on("crash", world), Types.STRING())
    outputs = []
    for operator in sorted({cell.operator for cell in cells}):
        own = [str(cell) for cell in cells if cell.operator == operator]
        outputs.append(_durable(scene, inputs, operator, own, names, payloads))
    at_end = crash_at_the_last(names, "emitted", scene.place is Place.EMITTED, world)
    united = outputs[0].union(*outputs[1:]).map(at_end, Types.STRING())
    write_outputs(united.disable_chaining(), world)
    return env


def _durable(
    scene: Scene,
    inputs: DataStream,
    operator: str,
    own: list[str],
    names: list[str],
    payloads: Mapping[str, Any],
) -> DataStream:
    level = next(level for level in LEVELS if operator.startswith(level))
    on_threads = operator.endswith("threads")
    log = FileCallLog(directory=scene.world.folder_of("log")) if level == "write-ahead" else None
    results = durable(
        inputs.filter(lambda value: value in own or value == BLOCKER + operator),
        handler_on_a_thread(scene) if on_threads else handler_on_the_loop(scene),
        name=operator,
        options=DurableOptions(
            durability=level,
            call_log=log,
            max_in_flight=STARTS if scene.place is Place.IN_THE_GATE else 1_000,
            **payloads,
        ),
    )
    # PyFlink runs this map inside the durable operator
    ends = crash_at_the_last(names, "ended", scene.place is Place.HANDLER_ENDED, scene.world)
    return results.map(ends, Types.STRING())
