"""Plans: where in a run the task dies, and which of the calls that race ends first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyflink_durable.handler import Handler, check_handler
from pyflink_durable.options import Durability, DurableOptions
from pyflink_durable.testing.crashes import Crashes, Point
from pyflink_durable.testing.finished import finished
from pyflink_durable.testing.levels import with_level
from pyflink_durable.testing.run import Run
from pyflink_durable.testing.signals import SentSignal
from pyflink_durable.testing.stubs import Stub, Stubs
from pyflink_durable.testing.virtual_clock import VirtualClock
from pyflink_durable.testing.world import Snapshot, World, inputs_of


@dataclass(frozen=True)
class Plan:
    """What happens to a run that is not the handler's doing; `strategies.plans` draws them.

    A plan is a value: what a failing test prints of it can be pasted into a test of its own.

    Attributes:
        level: The level of the operator.
        crashes: Of each attempt that dies, after how many places of `When` it does, and how many
            checkpoints older than the newest one the last completed one is. A run that ends before
            it has come to a place goes without that crash and those that follow.
        order: Each time that several calls could end next, the number of the one that does, among
            those there are; where it is at its end, the first.
    """

    level: Durability = "checkpoint"
    crashes: tuple[tuple[int, int], ...] = ()
    order: tuple[int, ...] = ()

    def run(
        self,
        handler: Handler,
        values: Iterable[Any],
        *,
        key: Callable[[Any], Any] = lambda value: None,
        state: Mapping[str, Any] | None = None,
        options: DurableOptions | None = None,
        stubs: Iterable[Stub] = (),
        signals: Iterable[SentSignal] = (),
        always_replay: bool = False,
    ) -> Run:
        """Runs a handler as `Durable.run_all` does, in the way of the plan.

        Args:
            handler: The handler.
            values: Its inputs.
            key: Gives the key of each.
            state: What ``ctx.state`` of every key holds before.
            options: The options of the job; the level is the plan's.
            stubs: What stands in for the functions of calls.
            always_replay: Whether the run is replayed from each of its steps, see `Durable.run`.
            signals: Those that come.
            always_replay: Whether the run is replayed from each of its steps, see `Durable.run`.

        Raises:
            Exception: What the handler raises.
            NotDeterministic: A replay took another path.
        """
        check_handler(handler)
        clock, kept = VirtualClock(), Stubs()
        for stub in stubs:
            kept.add(stub)
        crashes = _PlannedCrashes(self.crashes)
        inputs, order = inputs_of(values, key, None), _Order(self.order)
        at_level = with_level(options, self.level)
        world = World(handler, at_level, inputs, clock, kept, crashes, choose=order.choose)
        story: list[str] = []
        world.on_death = lambda died, restored, number: story.append(_told(died, restored))
        with clock.installed():
            try:
                return finished(world, state, signals, always_replay)
            finally:
                _tell(story)


class _PlannedCrashes(Crashes):
    """Those of a plan; the ones that a run does not come to are left out."""

    def __init__(self, crashes: tuple[tuple[int, int], ...]) -> None:
        self._left: Iterator[tuple[int, int]] = iter(crashes)
        self._next = next(self._left, None)
        self._older = 0

    def strikes(self, point: Point, number: int) -> bool:
        if self._next is None or number != self._next[0]:
            return False
        self._older = self._next[1]
        self._next = next(self._left, None)
        return True

    def checkpoint(self, oldest: int, newest: int) -> int:
        return max(oldest, newest - self._older)


class _Order:
    """Which call ends next, over all attempts of a run."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._numbers = iter(numbers)

    def choose(self, ready: int) -> int:
        return next(self._numbers, 0) % ready


def _told(world: World, restored: Snapshot) -> str:
    point = world.points[-1]
    where = f" of {point.name}" if point.name else ""
    slots = sum(len(journal) for _, journal in restored.journals)
    return f"crash: {point.when}{where}, input {point.input}; the checkpoint has {slots} slots"


def _tell(story: list[str]) -> None:
    """What a plan did goes beside the example that hypothesis prints."""
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is not None and hypothesis.currently_in_test_context():
        for line in story:
            hypothesis.note(line)
