"""Feeds a job its inputs at chosen moments, and the same ones again after a crash."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import DataStream, FlatMapFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

from crashkit.world import Condition, World

_TICKS = 15_000
_ENDLESS = 2**60
_TICK_SECONDS = 0.004


@dataclass(frozen=True)
class Stage:
    """Inputs that arrive together.

    Attributes:
        inputs: The elements, in order.
        when: They arrive as soon as this holds; checkpoints go on until then.
        hold: When they have arrived, the source stands still until this holds. While it does no
            checkpoint can begin, so none knows of these inputs.
    """

    inputs: list[Any]
    when: Condition = lambda world: True
    hold: Condition | None = None


class Script(FlatMapFunction):  # type: ignore[misc]
    """Turns a counting source into stages.

    Which tick a stage came at is written to the world, as a log broker would keep it at an offset:
    an attempt that is restored from an earlier tick finds it there again.
    """

    def __init__(self, world: World, stages: list[Stage], bounded: bool) -> None:
        self._world = world
        self._stages = stages
        self._bounded = bounded
        self._came_at: dict[int, int] | None = None

    def flat_map(self, value: int) -> Iterator[Any]:
        if self._came_at is None:
            arrivals = self._world.events("stage")
            self._came_at = {int(one["subject"]): one["tick"] for one in arrivals}
        came_at = self._came_at
        upcoming = len(came_at)
        if upcoming < len(self._stages) or not self._bounded:
            time.sleep(_TICK_SECONDS)
        if upcoming < len(self._stages) and self._stages[upcoming].when(self._world):
            self._world.note("stage", str(upcoming), tick=value)
            came_at[upcoming] = value
        for number, stage in enumerate(self._stages):
            if came_at.get(number) == value:
                yield from stage.inputs
                if stage.hold is not None:
                    self._world.wait(stage.hold, f"the end of the hold of stage {number}")


def scripted(
    env: StreamExecutionEnvironment,
    world: World,
    stages: list[Stage],
    *,
    type_info: Any = None,
    bounded: bool = True,
) -> DataStream:
    """A stream of the stages' inputs, by default strings; unbounded, it never ends by itself."""
    source = NumberSequenceSource(0, _TICKS if bounded else _ENDLESS)
    ticks = env.from_source(source, WatermarkStrategy.no_watermarks(), "ticks", Types.LONG())
    ticks = ticks.set_parallelism(1).uid("ticks")
    inputs = ticks.flat_map(Script(world, stages, bounded), type_info or Types.STRING())
    return inputs.set_parallelism(1).uid("script").name("script")
