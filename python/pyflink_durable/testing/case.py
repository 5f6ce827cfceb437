"""One case of `crash_points`: a handler's run with its crashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from pyflink_durable.handler import Handler
from pyflink_durable.options import Durability, DurableOptions
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.signals import Signal
from pyflink_durable.testing.crashes import Crashes, NumberedCrashes, Point
from pyflink_durable.testing.finished import finished
from pyflink_durable.testing.memory_journal import Slots
from pyflink_durable.testing.run import Run
from pyflink_durable.testing.signals import ONE_KEY, SentSignal
from pyflink_durable.testing.stubs import Stub, Stubs
from pyflink_durable.testing.virtual_clock import START, VirtualClock
from pyflink_durable.testing.world import Input, Snapshot, World

Cuts = tuple[tuple[int, int], ...]
"""Of each crash the number of its point, and that of the last completed snapshot."""


class Settings(NamedTuple):
    """What the cases of one test share, see `crash_points`."""

    handler: Handler
    inputs: Sequence[Input]
    state: Mapping[str, Any] | None
    options: Mapping[Durability, DurableOptions]
    always_replay: bool
    upgrade: Handler | None = None


class Case:
    """A run with crashes; a test calls `run` and looks at what has become of the outside.

    Attributes:
        level: The level of the operator.
        cuts: Its crashes.
        result: The run, once it has come to its end.
        started: Whether `run` was called.
    """

    def __init__(
        self, settings: Settings, clock: VirtualClock, level: Durability, cuts: Cuts
    ) -> None:
        self.level = level
        self.cuts = cuts
        self.result: Run | None = None
        self.started = False
        self._settings = settings
        self._clock = clock
        self._stubs = Stubs()
        self._signals: list[SentSignal] = []
        self._world: World | None = None
        self._deaths: list[tuple[Point, Snapshot, int]] = []
        self._lost: list[str] = []

    @classmethod
    def named(cls, settings: Settings, clock: VirtualClock, name: str) -> Case:
        """The case of an `id`.

        Raises:
            ValueError: It is none.
        """
        level, _, places = name.partition("/")
        try:
            if level not in get_args(Durability):
                raise ValueError
            cuts = [tuple(map(int, place.split("."))) for place in places.split(",") if place]
            pairs: Any = tuple((point, snapshot) for point, snapshot in cuts)
        except ValueError:
            raise ValueError(
                f"{name!r} is no case: take one that a failing test has told"
            ) from None
        return cls(settings, clock, level, pairs)  # type: ignore[arg-type]

    @property
    def id(self) -> str:
        """By which it can be run alone."""
        return f"{self.level}/{','.join(f'{point}.{snapshot}' for point, snapshot in self.cuts)}"

    # ---------------------------------------------------------------- for the test

    def run(self) -> Run:
        """Runs the handler to its end, through the crashes of the case.

        Raises:
            Exception: What the handler raises.
        """
        self.started = True
        settings = self._settings
        self._clock.now = START
        options, inputs = settings.options[self.level], settings.inputs
        crashes = NumberedCrashes(self.cuts) if self.cuts else Crashes()
        world = World(settings.handler, options, inputs, self._clock, self._stubs, crashes)
        world.on_death = self._note_death
        world.upgrade = settings.upgrade
        self._world = world
        self.result = finished(world, settings.state, self._signals, settings.always_replay)
        return self.result

    def stub(self, target: Any, **answer: Any) -> Stub:
        """As `Durable.stub`, for this case."""
        return self._stubs.add(Stub(target, **answer))

    def allow_only(self, *targets: Any) -> None:
        """As `Durable.allow_only`, for this case."""
        self._stubs.allow_only(targets)

    def signal(
        self, signal: Signal | str, value: Any = None, *, key: Any = ONE_KEY, after: float = 0.0
    ) -> None:
        """As `Durable.signal`, for this case; before `run`."""
        self._signals.append(SentSignal.of(signal, value, key, after))

    # ---------------------------------------------------------------- what it was

    @property
    def in_window(self) -> bool:
        """Whether a call ran that the last completed checkpoint does not know."""
        return bool(self._lost)

    def _note_death(self, world: World, restored: Snapshot, number: int) -> None:
        self._deaths.append((world.points[-1], restored, number))
        known = dict(restored.journals)
        for call in world.calls:
            if call.attempts and call.input in known and call.slot >= len(known[call.input]):
                self._lost.append(call.name)

    def further_cuts(self) -> Iterator[tuple[int, int]]:
        """The crashes that can come next, one of those that leave the same behind."""
        world = self._world
        if world is None:
            return
        seen = set()
        for number, point in enumerate(world.points):
            inside = (point.name, point.input) if point.when == "during" else None
            met = set()
            for snapshot in range(point.snapshot, point.oldest - 1, -1):
                left = _left_by(world, world.snapshots[snapshot])
                place = (point.snapshot, point.effects, inside, snapshot)
                if place not in seen and left not in met:
                    yield number, snapshot
                seen.add(place)
                met.add(left)

    def lines(self) -> Iterator[str]:
        """Describes it, for a failure."""
        yield f"  level {self.level}, " + ("no crash" if not self.cuts else "crashing:")
        for point, restored, number in self._deaths:
            where = f" of {point.name}" if point.name else ""
            yield f"  - {point.when}{where}, input {point.input}; the last checkpoint, {number} of "
            yield f"    {point.snapshot}, holds {_told(restored)}"
        if self._lost:
            yield f"  after the last checkpoint ran: {', '.join(self._lost)}"
        if self._world is not None:
            yield f"  calls: {self._world.calls}"

    def __repr__(self) -> str:
        return f"case {self.id!r}: " + " ".join(line.strip() for line in self.lines())


def _left_by(world: World, snapshot: Snapshot) -> Any:
    """What a crash leaves with a snapshot; a log knows all journals."""
    if world.logged is None:
        return snapshot.journals, snapshot.emitted, *_told_of(snapshot)
    numbers = tuple(number for number, _ in snapshot.journals)
    return numbers, snapshot.emitted, *_told_of(snapshot)


def _told_of(snapshot: Snapshot) -> Any:
    state = snapshot.signals
    return state.received, state.kept, tuple(sorted(state.seen.items()))


def _told(snapshot: Snapshot) -> str:
    journals = [_slots_told(slots) for _, slots in snapshot.journals]
    return "no invocation" if not journals else " and ".join(journals)


def _slots_told(slots: Slots) -> str:
    told = [f"{Identity.of(slot).shown.rpartition('.')[2]} {slot.status}" for slot in slots]
    return f"[{', '.join(told)}]"
