"""The life of a slot that holds no call: it is opened, filled once, and answered from then on."""

from __future__ import annotations

from typing import Any

from pyflink_durable.runtime.journal.bridge import (
    PENDING,
    HoldKind,
    Identity,
    completion_of,
    due_of,
    ended_at,
)
from pyflink_durable.runtime.journal.holds import Hold
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.slot_kind import SlotKind


class OwnSlot:
    """Takes the next slot for something of the runtime's own.

    Who fills it decides when; the value is what each later run of the handler gets here.

    Args:
        journal: The invocation's.
        kind: What the slot holds.
        name: That of the signals, if it is about signals.

    Attributes:
        number: The slot.
        is_filled: Whether an earlier run has filled it.

    Raises:
        NotInInvocation: The invocation has ended.
        JournalMismatch: The slot holds something else.
    """

    __slots__ = ("_found", "_identity", "_journal", "is_filled", "number")

    def __init__(self, journal: InvocationJournal, kind: SlotKind, name: str = "") -> None:
        self._journal = journal
        self._identity = Identity(name, "", kind)
        self.number, self._found = journal.take_slot(self._identity)
        self.is_filled = self._found is not None and self._found[2] != PENDING
        if self.is_filled:
            journal.access.replayed(self.number, self._identity)

    @property
    def due(self) -> int | None:
        """When it is filled at the latest, by what an earlier run wrote (epoch milliseconds)."""
        return None if self._found is None else due_of(self._found)

    @property
    def completion(self) -> int:
        """The place of a filled slot in the order of completion."""
        assert self._found is not None
        return completion_of(self._found)

    @property
    def ended_at(self) -> int | None:
        """When it was filled, in microseconds; release 0.1 wrote no time."""
        return None if self._found is None else ended_at(self._found)

    def replay(self, kind: Any) -> Any:
        """Gives the handler what an earlier run filled in.

        Args:
            kind: The type of the value.
        """
        assert self._found is not None
        self._journal.note_replayed()
        return self._journal.load_own(bytes(self._found[3]), kind, self.number)

    def open(self, due: int, repeatable: bool = True) -> None:
        """Writes that it will be filled, if no earlier run did.

        Args:
            due: At the latest at this time, in milliseconds since the epoch.
            repeatable: Whether nothing is lost when the slot is dropped.
        """
        if self._found is None:
            self._journal.access.open(self.number, self._identity, due, repeatable)

    def fill(self, value: Any, kind: Any, at: int, hold: HoldKind | None = None) -> Hold | None:
        """Writes what the handler gets.

        Args:
            value: The value.
            kind: Its type.
            at: The time, in microseconds since the epoch.
            hold: What is waited for before the handler gets it.

        Returns:
            The wait; None if there is none.
        """
        waits = self._journal.expect(self.number, hold)
        payload = self._journal.dump_own(value, kind, self.number)
        self._journal.access.finalize(self.number, self._identity, payload, None, at, hold)
        return waits
