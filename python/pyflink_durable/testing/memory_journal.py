"""A journal in memory: the slots of one invocation, with the rules of Java's Journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pyflink_durable.runtime.journal.bridge import NO_TIME, PENDING
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.writes import (
    CLEARED,
    FINALIZED,
    RECORDED,
    SCHEDULED,
    WRITE_FIELDS,
    Write,
)


class Slot(NamedTuple):
    """A call as it stands in a journal, see `CallFields`.

    Attributes:
        function_id: The function, or the call's durable_id.
        args_digest: Digest of its arguments.
        status: PENDING, SUCCEEDED or FAILED.
        result: The pickled result of a call that succeeded.
        exception: The pickled exception of a call that failed.
        completion: Its place in the order of completion; -1 before it has one.
        attempt: The number of its attempt.
        due: When a call that has not started is to start, in milliseconds since the epoch.
        ended_at: When it ended, in microseconds since the epoch.
        began: In the first slot when the invocation began, in microseconds since the epoch.
        repeatable: Whether it may simply run again (1).
        kind: What it is.
    """

    function_id: str
    args_digest: str
    status: str = PENDING
    result: bytes | None = None
    exception: bytes | None = None
    completion: int = -1
    attempt: int = 1
    due: int | None = None
    ended_at: int | None = None
    began: int | None = None
    repeatable: int = 0
    kind: SlotKind = SlotKind.CALL


Slots = tuple[Slot, ...]

_OF_CALLS = (PENDING, SCHEDULED, RECORDED)
_OPENING = {*_OF_CALLS, *(kind.value for kind in SlotKind if kind is not SlotKind.CALL)}


def writes_of(flat: Sequence[Any]) -> Iterator[Write]:
    """Takes the flat writes of a step apart."""
    for at in range(0, len(flat), WRITE_FIELDS):
        yield tuple(flat[at : at + WRITE_FIELDS])


class MemoryJournal:
    """The slots of one invocation, as what is written to them leaves them.

    Args:
        slots: What it holds at first.

    Attributes:
        slots: What it holds.
    """

    __slots__ = ("_completions", "slots")

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        self.slots = list(slots)
        self._completions = max((slot.completion + 1 for slot in slots), default=0)

    def read(self, slot: int) -> Slot | None:
        """The call in a slot."""
        return self.slots[slot] if slot < len(self.slots) else None

    def apply(self, write: Write) -> None:
        """Takes one write.

        Raises:
            RuntimeError: The slot is not as the write wants it.
        """
        slot, what = write[1], write[4]
        if what == CLEARED:
            del self.slots[slot:]
        elif slot == len(self.slots) and what in _OPENING:
            kind = SlotKind.CALL if what in _OF_CALLS else SlotKind(what)
            self.slots.append(self._written(Slot(write[2], write[3], kind=kind), write))
        else:
            self.slots[slot] = self._written(self._pending(write), write)

    def _written(self, slot: Slot, write: Write) -> Slot:
        _, _, _, _, what, result, exception, attempt, due, at, began, repeatable, _ = write
        if began is not None:
            slot = slot._replace(began=began)
        if repeatable is not None:
            slot = slot._replace(repeatable=repeatable)
        if what in (FINALIZED, RECORDED):
            return slot._replace(
                status="SUCCEEDED" if exception is None else "FAILED",
                result=result,
                exception=exception,
                completion=self._complete(),
                due=None,
                ended_at=None if at == NO_TIME else at,
            )
        return slot._replace(attempt=slot.attempt if attempt is None else attempt, due=due)

    def _pending(self, write: Write) -> Slot:
        slot, identity, what = write[1], write[2:4], write[4]
        found = self.read(slot)
        new = what != SCHEDULED and what in _OPENING
        if new or found is None or found.status != PENDING or found[:2] != identity:
            raise RuntimeError(f"slot {slot} holds {found}, and takes no {what} of {identity}")
        return found

    def _complete(self) -> int:
        self._completions += 1
        return self._completions - 1
