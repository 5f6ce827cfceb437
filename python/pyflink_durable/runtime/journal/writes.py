"""Writes to journals as the bridge takes them; those of a step are collected until it ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any

from pyflink_durable.runtime.journal.bridge import PENDING

# what a write does, next to PENDING, and to the name of a kind: that opens a slot of it
ATTEMPT, SCHEDULED = "ATTEMPT", "SCHEDULED"
FINALIZED, RECORDED, CLEARED = "FINALIZED", "RECORDED", "CLEARED"

Write = tuple[Any, ...]
"""Invocation, slot, function id, digest of the arguments, what it does, result, exception, attempt,
due time, when it ended, when the invocation began, repeatable, hold; None where one means nothing.
Java's `JournalWrites` reads them flat."""

WRITE_FIELDS = 13

_CALLS_MADE = (PENDING, RECORDED)


def calls_made(writes: Iterable[Write]) -> int:
    """How many of the writes are of a call that is made for the first time."""
    return sum(write[4] in _CALLS_MADE for write in writes)


class JournalWrites:
    """Journal writes of one step, applied together when it ends.

    Snapshots are taken between steps only, so nobody can tell; and what an invocation wrote that
    ended in the same step need not be written at all, unless its outputs have to wait.

    Attributes:
        add: Adds a write.
    """

    def __init__(self) -> None:
        self._writes: list[Write] = []
        self._ended: set[int] = set()
        self._left_out: list[Write] = []
        self.add = self._writes.append

    def begin_report(self) -> None:
        """The writes that the last report left out are not asked for any more."""
        self._left_out.clear()

    def forget(self, invocation: int) -> None:
        """Leaves out the writes of an invocation that has ended; there will be no more of it."""
        if self._writes:
            self._ended.add(invocation)

    def take(self) -> tuple[int, tuple[Any, ...]]:
        """How many calls were made, and all writes that are not left out, flat."""
        if not self._writes:
            return 0, ()
        writes = self._writes
        made = calls_made(writes)
        if ended := self._ended:
            self._left_out += [write for write in writes if write[0] in ended]
            writes = [write for write in writes if write[0] not in ended]
            ended.clear()
        taken = tuple(chain.from_iterable(writes))
        self._writes.clear()
        return made, taken

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        """The writes that the last report left out, of these invocations, flat."""
        return tuple(
            chain.from_iterable(write for write in self._left_out if write[0] in invocations)
        )
