"""Makes tasks fail at random points; a seed fixes which, and after how many passes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Place(Enum):
    """Where a task may fail."""

    BEFORE_CHARGE = "in the call, before the charge"
    AFTER_CHARGE = "in the call, after the charge"
    IN_HANDLER = "in the handler, after the call"
    BEHIND_OPERATOR = "in a map behind the operator"
    DURING_CHECKPOINT = "during a checkpoint"
    AFTER_CHECKPOINT = "after a checkpoint"


class InjectedFailure(Exception):
    """What a task fails with."""


class LostCall(BaseException):
    """Ends a call without an outcome, as the death of its process would; fails the task, too."""


@dataclass(frozen=True)
class Failure:
    """One failure: it comes when an attempt has passed the place so many times."""

    number: int
    place: Place
    passes: int


@dataclass(frozen=True)
class Failures:
    """All failures of a run, one after another; each happens at most once over all attempts.

    Attributes:
        seed: Fixes the places and the passes.
        count: How many there are.
        spacing: How often each place is passed in the time of one failure.
        markers: A directory that outlives the attempts: a file in it for every failure so far.
    """

    seed: int
    count: int
    spacing: Mapping[Place, int]
    markers: Path

    def next(self) -> Failure | None:
        """The one that is due; None if all have happened."""
        number = len(list(self.markers.iterdir()))
        if number >= self.count:
            return None
        places = list(Place)
        turn, place_in_turn = divmod(number, len(places))
        # every place has its turn, each time in another order
        random.Random(f"{self.seed}/turn {turn}").shuffle(places)
        place = places[place_in_turn]
        share = random.Random(f"{self.seed}/passes {number}").uniform(0.5, 1.1)
        return Failure(number, place, max(1, round(self.spacing[place] * share)))

    def claim(self, failure: Failure) -> bool:
        """Whether it is for the caller to fail: of several subtasks that came here, for one."""
        try:
            (self.markers / f"failure-{failure.number}").touch(exist_ok=False)
        except FileExistsError:
            return False
        (self.markers / f"failure-{failure.number}").write_text(failure.place.name)
        return True

    def happened(self) -> Counter[Place]:
        """How many there were so far, by place."""
        return Counter(Place[file.read_text()] for file in self.markers.iterdir())


class FailurePoints:
    """The places of one function; every attempt of a subtask has a fresh copy."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._known = False
        self._due: Failure | None = None
        self._passes: list[None] = []  # appended to by many threads

    def fails_at(self, place: Place) -> bool:
        """Counts a pass; whether the task is to fail here and now."""
        if not self._known:
            self._due = self._failures.next()
            self._known = True
        if self._due is None or self._due.place is not place:
            return False
        self._passes.append(None)
        return len(self._passes) >= self._due.passes and self._failures.claim(self._due)
