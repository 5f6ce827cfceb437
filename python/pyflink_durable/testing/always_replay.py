"""Replays a run from each of its steps: a handler has to take the same path each time.

Each replay has another clock, and objects of its own; those of a second process another hash seed,
too. What still differs, the handler has from somewhere that no journal holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pyflink_durable.errors import JournalMismatch
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.testing.attempt import Attempt
from pyflink_durable.testing.memory_journal import Slots
from pyflink_durable.testing.other_seed import replay_under_another_seed
from pyflink_durable.testing.reads import SEED, Reads, shifted_clocks
from pyflink_durable.testing.replay import Replayed, replay
from pyflink_durable.testing.saved_journal import SavedJournal
from pyflink_durable.testing.world import Emitted, Input, World


class NotDeterministic(AssertionError):
    """A handler took another path when it was run again for the same input over its journal."""


class Moment(NamedTuple):
    """An invocation between two steps.

    Attributes:
        slots: Its journal.
        used: How many slots its handler has used.
    """

    slots: Slots
    used: int


class Replays:
    """The replays of one run.

    Args:
        world: The run's surroundings, before it begins.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._moments: dict[int, dict[Moment, Mapping[str, bytes]]] = {}
        world.watch = self._look
        world.on_end = self._ended
        self._ends: dict[int, Emitted] = {}

    def _look(self, attempt: Attempt) -> None:
        """Takes down what a step has left."""
        for number, context in attempt.contexts.items():
            slots = tuple(attempt.journals.of[number].slots)
            # else the handler has not come back to where it was, or has more to come
            if len(slots) <= context.slots and attempt.has_given(number):
                moments = self._moments.setdefault(number, {})
                moments.setdefault(Moment(slots, context.slots), self._world.states[number])

    def _ended(self, number: int, slots: Slots, emitted: Emitted) -> None:
        """A handler has ended and emitted this."""
        moments = self._moments.setdefault(number, {})
        moments.setdefault(Moment(slots, len(slots)), self._world.states[number])
        self._ends[number] = emitted

    def check(self) -> None:
        """Replays the run from each of its steps.

        Raises:
            NotDeterministic: A replay took another path; the message names the lines at which the
                handler read what is not the same in each run.
        """
        for number, moments in self._moments.items():
            input = self._world.inputs[number]
            for moment, state in moments.items():
                self._check(input, moment, state)
            ended = self._journal_of(input, *next(reversed(moments.items())))
            if number in self._ends:
                told = replay_under_another_seed(self._world.handler, ended, self._world.options)
                if told is not None:
                    raise self._not_deterministic(ended, told, SEED)

    def _journal_of(self, input: Input, moment: Moment, state: Mapping[str, bytes]) -> SavedJournal:
        # its last moment is its end
        is_end = moment is next(reversed(self._moments[input.number]))
        ended = is_end and input.number in self._ends
        return SavedJournal.of(input, moment.slots, ended, state)

    def _check(self, input: Input, moment: Moment, state: Mapping[str, bytes]) -> None:
        journal = self._journal_of(input, moment, state)
        handler, options = self._world.handler, self._world.options
        try:
            with shifted_clocks(handler):
                replayed = replay(handler, journal, options)
            told = self._difference(input, moment, journal, replayed)
        except (JournalMismatch, AssertionError) as error:
            told = str(error)
        if told is not None:
            raise self._not_deterministic(journal, told, None)

    def _difference(
        self, input: Input, moment: Moment, journal: SavedJournal, replayed: Replayed
    ) -> str | None:
        if replayed.used != moment.used:
            more = f": {replayed.more[0]}" if replayed.more else ""
            return (
                f"it has used {replayed.used} slots of its journal where it had used {moment.used}"
                f"{more}"
            )
        if journal.ended and _digest(replayed.emitted) != _digest(self._ends[input.number]):
            return f"it emits {replayed.emitted!r} where it emitted {self._ends[input.number]!r}"
        return None

    def _not_deterministic(
        self, journal: SavedJournal, told: str, kind: str | None
    ) -> NotDeterministic:
        reads = Reads(self._world.handler, journal, self._world.options)
        lines = "".join(f"\n  {line}" for line in reads.lines(kind))
        hint = (
            f"it reads what is not the same in each run:{lines}"
            if lines
            else "look for what it takes from anywhere but its input, its calls and ctx: a module "
            "variable, a mutable default, an attribute of self"
        )
        return NotDeterministic(
            f"run again over the {len(journal)} slots of its journal, the handler took another "
            f"path: {told}\n{hint}\nmake such a value the result of a durable call, or take "
            "ctx.now(), ctx.random, ctx.uuid4(), sorted(...)"
        )


def _digest(emitted: Any) -> str:
    try:
        return compute_args_digest((emitted,), {})
    except Exception:  # compared as far as it can be
        return repr(emitted)
