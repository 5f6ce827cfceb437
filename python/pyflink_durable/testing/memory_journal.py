"""A journal in memory: the slots of one invocation, with the rules of Java's Journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pyflink_durable.runtime.journal.bridge import NO_TIME, PENDING, HoldKind
from pyflink_durable.runtime.journal.step_journal import (
    ATTEMPT,
    CLEARED,
    FINALIZED,
    RECORDED,
    SCHEDULED,
    WRITE_FIELDS,
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


Slots = tuple[Slot, ...]

Write = tuple[Any, ...]
"""One write of a step: the `WRITE_FIELDS` fields of `JournalWrites`."""


def writes_of(flat: Sequence[Any]) -> Iterator[Write]:
    """Takes the flat writes of a step apart."""
    for at in range(0, len(flat), WRITE_FIELDS):
        yield tuple(flat[at : at + WRITE_FIELDS])


class MemoryJournal:
    """The slot methods that the operator's bridge has for one invocation.

    Args:
        slots: What it holds at first.

    Attributes:
        slots: What it holds.
    """

    __slots__ = ("_completions", "slots")

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        self.slots = list(slots)
        self._completions = max((slot.completion + 1 for slot in slots), default=0)

    def apply(self, write: Write) -> None:
        """Takes one write of a step."""
        _, slot, function_id, digest, what, result, exception, attempt, due, at, *more = write
        began, repeatable, hold = more
        if what == PENDING:
            self.appendPendingCallAt(slot, function_id, digest, began, repeatable, hold)
        elif what == FINALIZED:
            self.finalizeCallAt(slot, function_id, digest, result, exception, at, hold)
        elif what == RECORDED:
            outcome = (result, exception, at, began, repeatable)
            self.recordCallCompletionAt(slot, function_id, digest, *outcome)
        elif what == ATTEMPT:
            self.startAttemptAt(slot, function_id, digest, attempt, hold)
        elif what == SCHEDULED:
            self.scheduleCallAt(slot, function_id, digest, attempt, due, began, repeatable)
        else:
            assert what == CLEARED, what
            self.clearCallResultsFrom(slot)

    # ---------------------------------------------------------------- as Java names them

    def getCallResultFieldsAt(self, slot: int) -> Slot | None:
        """The call in a slot."""
        return self.slots[slot] if slot < len(self.slots) else None

    def appendPendingCallAt(
        self,
        slot: int,
        function_id: str,
        args_digest: str,
        began: int | None = None,
        repeatable: int = 0,
        hold: HoldKind | None = None,
    ) -> None:
        """Announces a call behind the last slot."""
        self._require_end(slot)
        new = Slot(function_id, args_digest, began=_known(began), repeatable=repeatable)
        self.slots.append(new)

    def startAttemptAt(
        self, slot: int, function_id: str, digest: str, attempt: int, hold: HoldKind | None = None
    ) -> None:
        """Announces an attempt of a pending call."""
        found = self._pending(slot, function_id, digest)
        self.slots[slot] = found._replace(attempt=attempt, due=None)

    def scheduleCallAt(
        self,
        slot: int,
        function_id: str,
        digest: str,
        attempt: int,
        due: int,
        began: int | None = None,
        repeatable: int = 0,
    ) -> None:
        """Writes when an attempt is to start."""
        if slot == len(self.slots):
            self.slots.append(Slot(function_id, digest, began=_known(began)))
        found = self._pending(slot, function_id, digest)
        self.slots[slot] = found._replace(attempt=attempt, due=due, repeatable=repeatable)

    def recordCallCompletionAt(
        self,
        slot: int,
        function_id: str,
        digest: str,
        result: bytes | None,
        exception: bytes | None,
        at: int | None = None,
        began: int | None = None,
        repeatable: int = 0,
    ) -> None:
        """Writes a call that has ended behind the last slot."""
        self._require_end(slot)
        self.slots.append(
            Slot(
                function_id,
                digest,
                "SUCCEEDED" if exception is None else "FAILED",
                result,
                exception,
                self._complete(),
                1,
                None,
                _known(at),
                _known(began),
                repeatable,
            )
        )

    def finalizeCallAt(
        self,
        slot: int,
        function_id: str,
        digest: str,
        result: bytes | None,
        exception: bytes | None,
        at: int | None = None,
        hold: HoldKind | None = None,
    ) -> None:
        """Writes the outcome of a pending call."""
        found = self._pending(slot, function_id, digest)
        self.slots[slot] = Slot(
            function_id,
            digest,
            "SUCCEEDED" if exception is None else "FAILED",
            result,
            exception,
            self._complete(),
            found.attempt,
            None,
            _known(at),
            found.began,
            found.repeatable,
        )

    def clearCallResultsFrom(self, slot: int) -> None:
        """Drops a slot and all after it."""
        del self.slots[slot:]

    def _pending(self, slot: int, function_id: str, digest: str) -> Slot:
        found = self.slots[slot] if slot < len(self.slots) else None
        if found is None or found.status != PENDING or found[:2] != (function_id, digest):
            raise RuntimeError(f"slot {slot} holds {found}, and not {function_id}({digest})")
        return found

    def _complete(self) -> int:
        self._completions += 1
        return self._completions - 1

    def _require_end(self, slot: int) -> None:
        if slot != len(self.slots):
            raise RuntimeError(f"slot {slot} is not behind the last of {len(self.slots)}")


def _known(time: int | None) -> int | None:
    return None if time == NO_TIME else time
