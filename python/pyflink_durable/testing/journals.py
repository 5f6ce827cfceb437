"""The journals of one attempt: what the runtime reads and writes, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyflink_durable.runtime.journal.bridge import HoldKind, Identity
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.writes import FINALIZED, RECORDED, SCHEDULED, Write
from pyflink_durable.testing.crashes import When
from pyflink_durable.testing.memory_journal import MemoryJournal, Slots, writes_of

Mark = tuple[When, str, int]
"""A place at the end of a step at which the task may die, with the call and the input."""


class Journals:
    """In place of the operator's bridge.

    Args:
        restored: Slots by the numbers of inputs.
        on_replayed: Told of a call that is answered: its name, input and slot.

    Attributes:
        of: Journals by the numbers of inputs that have not ended.
        marks: What was written in this step, as far as the task may die there.
        holds: What waits for what was written: input, slot, and for what.
    """

    def __init__(
        self,
        restored: Iterable[tuple[int, Slots]],
        on_replayed: Callable[[str, int, int], None],
    ) -> None:
        self.of = {number: MemoryJournal(slots) for number, slots in restored}
        self.marks: list[Mark] = []
        self.holds: list[tuple[int, int, HoldKind]] = []
        self._on_replayed = on_replayed

    def apply(self, write: Write) -> None:
        """Applies a write, and notes what it is."""
        number, slot, name, _, what, _, _, attempt, due, *_, hold = write
        self.of[number].apply(write)
        if hold is not None:
            self.holds.append((number, slot, hold))
            if hold == "CHECKPOINT":
                self.marks.append(("at-gate", name, number))
        if what in (FINALIZED, RECORDED):
            if self.of[number].slots[slot].kind.is_from_outside:
                self.marks.append(("after-outcome", name, number))
        elif what == SlotKind.SIGNAL:
            self.marks.append(("waiting", name, number))
        elif what == SCHEDULED and attempt > 1 and due:
            self.marks.append(("between-attempts", name, number))

    def note_replayed(self, number: int, slot: int, identity: Identity) -> None:
        """Something is answered from its slot."""
        if identity.kind is SlotKind.CALL:
            self._on_replayed(identity.function_id, number, slot)

    # ---------------------------------------------------------------- as Java names them

    def getCallResultFieldsAt(self, number: int, slot: int) -> Any:
        """The call in a slot."""
        return self.of[number].read(slot)

    def applyJournalWrites(self, executed: int, writes: Sequence[Any]) -> None:
        """The thread of a ``def`` handler writes at once."""
        for write in writes_of(writes):
            self.apply(write)
