"""The journal of a handler that runs in steps of the task thread: its writes wait for the end."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from typing import Any

from pyflink_durable.runtime.journal.access import SlotAccess
from pyflink_durable.runtime.journal.bridge import PENDING, CallFields, HoldKind, Identity

# what a write does, next to PENDING
ATTEMPT, SCHEDULED = "ATTEMPT", "SCHEDULED"
FINALIZED, RECORDED, CLEARED = "FINALIZED", "RECORDED", "CLEARED"


WRITE_FIELDS = 13
"""Of one write: invocation, slot, function id, digest of the arguments, what it does, result,
exception, attempt, due time, when it ended, when the invocation began, repeatable, hold."""


class JournalWrites:
    """Journal writes of one step, applied together when it ends.

    Snapshots are taken between steps only, so nobody can tell; and what an invocation wrote that
    ended in the same step need not be written at all, unless its outputs have to wait.

    Attributes:
        executed: How many calls were made in this step.
        add: Adds a write, a tuple of `WRITE_FIELDS`.
    """

    def __init__(self) -> None:
        self._writes: list[tuple[Any, ...]] = []
        self._ended: set[int] = set()
        self._left_out: list[tuple[Any, ...]] = []
        self.executed = 0
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
        executed, self.executed = self.executed, 0
        if not self._writes:
            return executed, ()
        writes = self._writes
        if ended := self._ended:
            self._left_out += [write for write in writes if write[0] in ended]
            writes = [write for write in writes if write[0] not in ended]
            ended.clear()
        taken = tuple(chain.from_iterable(writes))
        self._writes.clear()
        return executed, taken

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        """The writes that the last report left out, of these invocations, flat."""
        return tuple(
            chain.from_iterable(write for write in self._left_out if write[0] in invocations)
        )


class StepJournal(SlotAccess):
    """Reads slots at once, and collects writes.

    Args:
        bridge: A `DurableBridge`.
        invocation: The invocation's id.
        size: How many slots are filled.
        writes: Where the writes of the step are collected.
    """

    __slots__ = ("_bridge", "_id", "_writes")

    def __init__(self, bridge: Any, invocation: int, *, size: int, writes: JournalWrites) -> None:
        self._bridge = bridge
        self._id = invocation
        self._writes = writes
        self._begin(size)

    def _read(self, slot: int) -> CallFields | None:
        fields: CallFields | None = self._bridge.getCallResultFieldsAt(self._id, slot)
        return fields

    def append_pending(
        self, slot: int, identity: Identity, repeatable: bool, hold: HoldKind | None = None
    ) -> None:
        self._writes.executed += 1
        began = self.began if slot == 0 else None
        self._writes.add(
            (
                self._id,
                slot,
                identity[0],
                identity[1],
                PENDING,
                None,
                None,
                None,
                None,
                None,
                began,
                int(repeatable),
                hold,
            )
        )

    def start_attempt(
        self, slot: int, identity: Identity, attempt: int, hold: HoldKind | None = None
    ) -> None:
        self._writes.add(
            (self._id, slot, *identity, ATTEMPT, None, None, attempt, None, None, None, None, hold)
        )

    def schedule(
        self, slot: int, identity: Identity, attempt: int, due: int, repeatable: bool
    ) -> None:
        began = self.began if slot == 0 else None
        self._writes.add(
            (
                *(self._id, slot, *identity, SCHEDULED, None, None, attempt, due, None, began),
                *(int(repeatable), None),
            )
        )

    def finalize(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        hold: HoldKind | None = None,
    ) -> None:
        self._writes.add(
            (
                self._id,
                slot,
                identity[0],
                identity[1],
                FINALIZED,
                result,
                exception,
                None,
                None,
                at,
                None,
                None,
                hold,
            )
        )

    def record(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        repeatable: bool,
    ) -> None:
        self._writes.executed += 1
        began = self.began if slot == 0 else None
        self._writes.add(
            (
                self._id,
                slot,
                identity[0],
                identity[1],
                RECORDED,
                result,
                exception,
                None,
                None,
                at,
                began,
                int(repeatable),
                None,
            )
        )

    def clear_from(self, slot: int) -> None:
        self._writes.add((self._id, slot, "", "", CLEARED, *(None,) * 8))
        self._size = slot
