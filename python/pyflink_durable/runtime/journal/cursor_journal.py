"""The journal of an invocation behind the six methods: slots one after another."""

from __future__ import annotations

from pyflink_durable.errors import DurableExecutionError
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.journal.bridge import PENDING, Bridge, CallFields, Identity
from pyflink_durable.runtime.journal.slot_kind import (
    IN_PLACE_OF_A_KIND,
    SlotKind,
    kind_without_a_word,
)
from pyflink_durable.runtime.journal.times import now
from pyflink_durable.runtime.journal.writes import (
    CLEARED,
    FINALIZED,
    RECORDED,
    SCHEDULED,
    Write,
)


class CursorJournal(JournalAccess):
    """A journal that takes calls one after another.

    It knows nothing of attempts and times, nor of what is repeatable: that of a call is forgotten
    with the process.
    """

    concurrent = False
    kept = 0

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.began = now()
        self._cursor = 0
        self._pending: tuple[str, str] | None = None  # what stands at the cursor, for the bridge

    def read(self, slot: int) -> CallFields | None:
        self._require_cursor(slot)
        found = self._bridge.getCurrentCallResultFields()
        if found is None:
            return None
        self._pending = found[0], found[1]
        return _with_kind(found)

    def _write(self, write: Write) -> None:
        _, slot, function_id, digest, what, result, exception, *_ = write
        self._require_cursor(slot)
        if what == FINALIZED:
            assert self._pending is not None
            if not digest:  # of the runtime's own
                function_id, digest = self._pending
            self._bridge.finalizeCurrentCall(function_id, digest, result, exception)
            self._move()
        elif what == RECORDED:
            self._bridge.recordCallCompletion(function_id, digest, result, exception)
            self._move()
        elif what == CLEARED:
            self._bridge.clearCallResultsFromCurrentIndexAndPersist()
            self._pending = None
        elif self._pending is None:
            of_call = what in (PENDING, SCHEDULED)
            self._pending = (function_id, digest) if of_call else IN_PLACE_OF_A_KIND[SlotKind(what)]
            self._bridge.appendPendingCall(*self._pending)

    def replayed(self, slot: int, identity: Identity) -> None:
        self._require_cursor(slot)
        written = IN_PLACE_OF_A_KIND.get(identity.kind, identity[:2])
        if self._bridge.matchNextOrClearSubsequentCallResult(*written) is None:
            raise DurableExecutionError(
                f"the bridge lost slot {slot} of {identity} between reading and replaying it"
            )
        self._move()

    def _move(self) -> None:
        self._cursor += 1
        self._pending = None

    def _require_cursor(self, slot: int) -> None:
        if slot != self._cursor:
            raise DurableExecutionError(
                f"slot {slot} was asked for while slot {self._cursor} is still pending: this "
                "bridge takes calls one after another; await each before you make the next"
            )


_NOT_TOLD = (0, 1, None, None, None, 0)
"""Behind the five fields that each bridge tells: what a slot has where the others are not known."""


def _with_kind(found: CallFields) -> CallFields:
    """A slot as a journal that knows of kinds has it."""
    kind = kind_without_a_word(found[0], found[1])
    if kind is SlotKind.CALL:
        return found[:11]
    return ["", "", *found[2:11], *_NOT_TOLD[max(0, len(found) - 5) :], kind]
