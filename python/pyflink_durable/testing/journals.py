"""The journals of one attempt: what the runtime reads and writes, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyflink_durable.runtime.journal.bridge import PENDING, HoldKind
from pyflink_durable.runtime.journal.step_journal import FINALIZED, RECORDED, SCHEDULED
from pyflink_durable.testing.crashes import When
from pyflink_durable.testing.memory_journal import MemoryJournal, Slots, Write

_OWN = "pyflink_durable."

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
        name_of_signal: Gives the name of the signal that a slot waits for, None for other slots.
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
        self.name_of_signal: Callable[[str, str], str | None] = lambda function, digest: None

    def apply(self, write: Write) -> None:
        """Applies a write that a step has collected."""
        number, slot, name, digest, what, _, _, attempt, due, *_, hold = write
        self.of[number].apply(write)
        signal = self.name_of_signal(name, digest)
        if signal is not None and what in (SCHEDULED, FINALIZED):
            self.marks.append(("waiting" if what == SCHEDULED else "after-outcome", signal, number))
        self._note(number, slot, name, what, attempt, due, hold)

    def _note(
        self, number: int, slot: int, name: str, what: str, attempt: Any, due: Any, hold: Any
    ) -> None:
        if hold is not None:
            self.holds.append((number, slot, hold))
            if hold == "CHECKPOINT":
                self.marks.append(("at-gate", name, number))
        if what in (FINALIZED, RECORDED):
            if not name.startswith(_OWN):
                self.marks.append(("after-outcome", name, number))
        elif what == SCHEDULED and attempt > 1 and due:
            self.marks.append(("between-attempts", name, number))

    def note_replayed(self, number: int, slot: int, name: str) -> None:
        """A call is answered from its slot."""
        if not name.startswith(_OWN):
            self._on_replayed(name, number, slot)

    # ---------------------------------------------------------------- as Java names them

    def getCallResultFieldsAt(self, number: int, slot: int) -> Any:
        """The call in a slot."""
        return self.of[number].getCallResultFieldsAt(slot)

    def appendPendingCallAt(
        self, number: int, slot: int, name: str, digest: str, *more: Any
    ) -> None:
        """The thread of a ``def`` handler writes at once, here and in what follows."""
        *_, hold = more
        self.of[number].appendPendingCallAt(slot, name, digest, *more)
        self._note(number, slot, name, PENDING, 1, None, hold)

    def startAttemptAt(
        self, number: int, slot: int, name: str, digest: str, attempt: int, hold: Any
    ) -> None:
        """Announces an attempt of a pending call."""
        self.of[number].startAttemptAt(slot, name, digest, attempt, hold)
        self._note(number, slot, name, PENDING, attempt, None, hold)

    def scheduleCallAt(
        self, number: int, slot: int, name: str, digest: str, attempt: int, due: int, *more: Any
    ) -> None:
        """Writes when an attempt is to start."""
        self.of[number].scheduleCallAt(slot, name, digest, attempt, due, *more)
        self._note(number, slot, name, SCHEDULED, attempt, due, None)

    def finalizeCallAt(self, number: int, slot: int, name: str, digest: str, *more: Any) -> None:
        """Writes the outcome of a pending call."""
        *_, hold = more
        self.of[number].finalizeCallAt(slot, name, digest, *more)
        self._note(number, slot, name, FINALIZED, 1, None, hold)

    def recordCallCompletionAt(
        self, number: int, slot: int, name: str, digest: str, *more: Any
    ) -> None:
        """Writes a call that has ended."""
        self.of[number].recordCallCompletionAt(slot, name, digest, *more)
        self._note(number, slot, name, RECORDED, 1, None, None)

    def clearCallResultsFrom(self, number: int, slot: int) -> None:
        """Drops a slot and all after it."""
        self.of[number].clearCallResultsFrom(slot)
