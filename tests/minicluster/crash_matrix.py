"""Runs the cells of the crash matrix: many calls in one job, all at the same place at the crash.

A cell is one call: its level, what the job may do with it when it is in doubt, and the form in
which the handler makes it. Each is an input with a key of its own. In the first attempt every cell
goes as far as the row's place and halts there; then the job fails, and a second attempt ends it.
Checkpoints are taken by hand only, so the test decides what the one before the crash holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from crashkit import (
    DEADLINE_SECONDS,
    Stage,
    Style,
    World,
    cancel,
    durable,
    environment,
    scripted,
    start,
    take_checkpoint,
    write_outputs,
)
from crashkit.world import Condition
from pyflink.common import JobClient, Types
from pyflink.datastream import DataStream

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    FileCallLog,
    OutcomeUnknown,
    RunnerContext,
)

LEVELS = ("checkpoint", "gated", "write-ahead")
IN_DOUBT = ("ask", "again", "raise")
COLUMNS = [(level, in_doubt) for level in LEVELS for in_doubt in IN_DOUBT]
BLOCKER = "blocker of "
STARTS = 2  # a blocker makes as many calls, and leaves a place for the cells
"""An input that takes the only place of its operator, so that what is released has to wait."""


class Cell(NamedTuple):
    """One call of the matrix; its text is the input of its handler, and its key."""

    level: str
    in_doubt: str
    style: Style

    @classmethod
    def parse(cls, text: str) -> Cell:
        level, in_doubt, style = text.split("/")
        return cls(level, in_doubt, Style[style])

    def __str__(self) -> str:
        return f"{self.level}/{self.in_doubt}/{self.style.name}"

    @property
    def waits(self) -> bool:
        """Whether the call does not start before what was written of it is safe."""
        return self.level != "checkpoint" and self.in_doubt != "again"

    @property
    def waits_at_the_gate(self) -> bool:
        return self.waits and self.level == "gated"

    @property
    def is_refused(self) -> bool:
        """A sync call in an async handler holds the task, so it cannot wait."""
        return self.waits and self.style is Style.SYNC

    @property
    def operator(self) -> str:
        """Cells share operators; a sync call stops all of its own."""
        if self.style is Style.SYNC:
            return f"{self.level}-{self.in_doubt}-sync"
        return f"{self.level}-{'threads' if self.style is Style.DEF else 'loop'}"


class Place(Enum):
    """Where the calls of a row are at the crash, in the order of a call's life."""

    BEFORE_PENDING = "before PENDING"
    PENDING = "PENDING"
    IN_THE_GATE = "in the gate"
    STARTED = "call started"
    HAPPENED = "call finished"
    FINALIZED = "finalized"
    HANDLER_ENDED = "handler ended"
    EMITTED = "output emitted"
    OVER = "checkpoint completed"


class Row(NamedTuple):
    """A row of the matrix: the place, and whether a checkpoint is taken there before the crash."""

    place: Place
    checkpoint: bool = False

    @classmethod
    def parse(cls, text: str) -> Row:
        words, behind, _ = text.partition(", then a checkpoint")
        place = Place(words)
        return cls(place, bool(behind) or place in (Place.IN_THE_GATE, Place.OVER))

    def has(self, cell: Cell) -> bool:
        """Whether a call of this cell can be there."""
        if cell.is_refused:
            return False
        if self.place is Place.IN_THE_GATE:
            # a call of a def handler runs on its thread as soon as it is let through
            return cell.waits_at_the_gate and cell.style is not Style.DEF
        if cell.style is not Style.SYNC:
            return True
        if self.checkpoint:
            return self.place not in (Place.STARTED, Place.HAPPENED)  # it holds the task
        # on its way to the log its outcome may be lost or not
        return self.place is not Place.FINALIZED or cell.level != "write-ahead"


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


# ------------------------------------------------------------------------------ the test's side


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


def every_cell() -> Iterable[Cell]:
    return (Cell(*names, style) for names in COLUMNS for style in Style)


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
