"""Journals for tests: in Python with the six methods or with slots, and the real one in Java."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pyflink_durable.runtime.journal.access import JournalAccess, SlotJournal
from pyflink_durable.runtime.journal.bridge import NO_TIME, PENDING
from pyflink_durable.runtime.journal.cursor_journal import CursorJournal
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.writes import (
    ATTEMPT,
    CLEARED,
    FINALIZED,
    RECORDED,
    SCHEDULED,
    WRITE_FIELDS,
)

SLOT_METHODS = {
    "getCurrentCallResultFields": "getCallResultFieldsAt",
    "appendPendingCall": "appendPendingCallAt",
    "finalizeCurrentCall": "finalizeCallAt",
    "recordCallCompletion": "recordCallCompletionAt",
    "clearCallResultsFromCurrentIndexAndPersist": "clearCallResultsFrom",
}
CURSOR_METHODS = (*SLOT_METHODS, "matchNextOrClearSubsequentCallResult")
ATTEMPT_METHODS = ("startAttemptAt", "scheduleCallAt", "openAt")  # a cursor knows of none of them


class Slot(NamedTuple):
    """A call as a test reads it from a journal."""

    function_id: str
    args_digest: str
    status: str = "PENDING"
    result: bytes | None = None
    exception: bytes | None = None
    completion: int = -1
    attempt: int = 1
    due: int | None = None
    ended_at: int | None = None
    began: int | None = None
    repeatable: int = 0
    kind: str = "CALL"


def own_slot(kind: str, name: str = "", **fields: Any) -> Slot:
    """A slot of another kind than a call's; nothing is lost with it, unless it is said."""
    return Slot(name, "", kind=kind, **{"repeatable": 1, **fields})


class SlotsInMemory:
    """The slot methods of Java's Journal, with its rules.

    Attributes:
        held: What was written with a hold: the slot, and what it waits for.
    """

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        self.slots = list(slots)
        self.held: list[tuple[int, str]] = []
        self._completions = max((slot.completion + 1 for slot in slots), default=0)

    def getCallResultFieldsAt(self, slot: int) -> list[Any] | None:
        return list(self.slots[slot]) if slot < len(self.slots) else None

    def appendPendingCallAt(
        self,
        slot: int,
        function_id: str,
        args_digest: str,
        began: int = NO_TIME,
        repeatable: int = 0,
        hold: str | None = None,
    ) -> None:
        self._require_end(slot)
        new = Slot(function_id, args_digest, began=_known(began), repeatable=repeatable)
        self.slots.append(new)
        self._hold(slot, hold)

    def startAttemptAt(
        self, slot: int, function_id: str, digest: str, attempt: int, hold: str | None = None
    ) -> None:
        found = self._pending(slot, (function_id, digest))
        self.slots[slot] = found._replace(attempt=attempt, due=None)
        self._hold(slot, hold)

    def scheduleCallAt(
        self,
        slot: int,
        function_id: str,
        digest: str,
        attempt: int,
        due: int,
        began: int = NO_TIME,
        repeatable: int = 0,
    ) -> None:
        if slot == len(self.slots):
            self.slots.append(Slot(function_id, digest, began=_known(began)))
        found = self._pending(slot, (function_id, digest))
        self.slots[slot] = found._replace(attempt=attempt, due=due, repeatable=repeatable)

    def openAt(
        self, slot: int, kind: str, name: str, due: int, began: int = NO_TIME, repeatable: int = 0
    ) -> None:
        self._require_end(slot)
        new = Slot(name, "", began=_known(began), due=due, repeatable=repeatable, kind=kind)
        self.slots.append(new)

    def recordCallCompletionAt(
        self,
        slot: int,
        function_id: str,
        digest: str,
        result: bytes | None,
        exception: bytes | None,
        at: int = NO_TIME,
        began: int = NO_TIME,
        repeatable: int = 0,
    ) -> None:
        self._require_end(slot)
        completed = self._completed(function_id, digest, result, exception, at)
        self.slots.append(completed._replace(began=_known(began), repeatable=repeatable))

    def finalizeCallAt(
        self,
        slot: int,
        function_id: str,
        digest: str,
        result: bytes | None,
        exception: bytes | None,
        at: int = NO_TIME,
        hold: str | None = None,
    ) -> None:
        found = self._pending(slot, (function_id, digest))
        completed = self._completed(function_id, digest, result, exception, at)
        self.slots[slot] = completed._replace(
            attempt=found.attempt,
            began=found.began,
            repeatable=found.repeatable,
            kind=found.kind,
        )
        self._hold(slot, hold)

    def clearCallResultsFrom(self, slot: int) -> None:
        del self.slots[slot:]

    def _pending(self, slot: int, identity: tuple[str, str]) -> Slot:
        found = self.slots[slot] if slot < len(self.slots) else None
        if found is None or found.status != "PENDING" or found[:2] != identity:
            raise RuntimeError(f"IllegalStateException: slot {slot} holds {found}, not {identity}")
        return found

    def _hold(self, slot: int, hold: str | None) -> None:
        if hold is not None:
            self.held.append((slot, hold))

    def _completed(
        self,
        function_id: str,
        args_digest: str,
        result: bytes | None,
        exception: bytes | None,
        at: int,
    ) -> Slot:
        status = "SUCCEEDED" if exception is None else "FAILED"
        self._completions += 1
        completion = self._completions - 1
        identity = (function_id, args_digest)
        return Slot(*identity, status, result, exception, completion, ended_at=_known(at))

    def _require_end(self, slot: int) -> None:
        if slot != len(self.slots):
            raise RuntimeError(f"IllegalStateException: {slot} is not behind {len(self.slots)}")


def _known(time: int) -> int | None:
    return None if time == NO_TIME else time


class OneInvocation:
    """A bridge to the journal of one invocation, whatever its number is.

    Args:
        journal: An object with the slot methods.
    """

    def __init__(self, journal: Any) -> None:
        self._journal = journal

    def getCallResultFieldsAt(self, invocation: int, slot: int) -> Any:
        return self._journal.getCallResultFieldsAt(slot)

    def applyJournalWrites(self, executed: int, writes: Sequence[Any]) -> None:
        for at in range(0, len(writes), WRITE_FIELDS):
            self.apply(*writes[at : at + WRITE_FIELDS])

    def apply(
        self, _: int, slot: int, function_id: str, digest: str, what: str, *fields: Any
    ) -> None:
        """Has the method called that a write is of."""
        *outcome, attempt, due, ended_at, began, repeatable, hold = fields
        began, identity = NO_TIME if began is None else began, (function_id, digest)
        journal = self._journal
        if what == PENDING:
            journal.appendPendingCallAt(slot, *identity, began, repeatable, hold)
        elif what == ATTEMPT:
            journal.startAttemptAt(slot, *identity, attempt, hold)
        elif what == SCHEDULED:
            journal.scheduleCallAt(slot, *identity, attempt, due, began, repeatable)
        elif what == RECORDED:
            journal.recordCallCompletionAt(slot, *identity, *outcome, ended_at, began, repeatable)
        elif what == FINALIZED:
            journal.finalizeCallAt(slot, *identity, *outcome, ended_at, hold)
        elif what == CLEARED:
            journal.clearCallResultsFrom(slot)
        else:
            assert not digest
            journal.openAt(slot, SlotKind(what).value, function_id, due, began, repeatable)


def slot_journal(journal: Any, size: int = 0) -> SlotJournal:
    """A journal of one invocation that is written to at once, see `OneInvocation`."""
    return SlotJournal(OneInvocation(journal), size=size)


class SixMethods:
    """A bridge with the six methods of the design and nothing else; five fields to a call."""

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        self._journal = SlotsInMemory(slots)
        self._cursor = 0

    def getCurrentCallResultFields(self) -> list[Any] | None:
        fields = self._journal.getCallResultFieldsAt(self._cursor)
        return None if fields is None else fields[:5]

    def matchNextOrClearSubsequentCallResult(
        self, function_id: str, args_digest: str
    ) -> list[Any] | None:
        fields = self.getCurrentCallResultFields()
        if fields is None:
            return None
        if fields[:2] != [function_id, args_digest] or fields[2] == "PENDING":
            self.clearCallResultsFromCurrentIndexAndPersist()
            return None
        self._cursor += 1
        return [True, fields[3], fields[4]]

    def recordCallCompletion(self, *fields: Any) -> None:
        self._journal.recordCallCompletionAt(self._cursor, *fields)
        self._cursor += 1

    def appendPendingCall(self, function_id: str, args_digest: str) -> None:
        self._journal.appendPendingCallAt(self._cursor, function_id, args_digest)

    def finalizeCurrentCall(self, *fields: Any) -> None:
        self._journal.finalizeCallAt(self._cursor, *fields)
        self._cursor += 1

    def clearCallResultsFromCurrentIndexAndPersist(self) -> None:
        self._journal.clearCallResultsFrom(self._cursor)


class Recording:
    """Passes the named methods through to a bridge; anything else is not there.

    Args:
        target: The bridge.
        methods: The names of its methods.
        after: Called after each with its name.
    """

    def __init__(
        self, target: Any, methods: Sequence[str], after: Callable[[str], None] | None = None
    ) -> None:
        self.operations: list[str] = []
        for name in methods:
            setattr(self, name, self._recorded(name, getattr(target, name), after))

    def _recorded(
        self, name: str, method: Callable[..., Any], after: Callable[[str], None] | None
    ) -> Callable[..., Any]:
        def recorded(*args: Any) -> Any:
            self.operations.append(name)
            answer = method(*args)
            if after is not None:
                after(name)
            return answer

        return recorded


class TestedJournal:
    """A journal as `FlinkRunnerContext` takes it, and what a test wants to know of it."""

    __test__ = False
    concurrent = False

    def __init__(self) -> None:
        self.bridge: Any = None
        self.restart()

    def restart(self) -> None:
        """What a failure leaves: the same calls, the cursor at the first, nothing recorded."""
        raise NotImplementedError

    def slots(self) -> list[Slot]:
        raise NotImplementedError

    def access(self) -> JournalAccess:
        return CursorJournal(self.bridge)

    @property
    def operations(self) -> list[str]:
        operations: list[str] = self.bridge.operations
        return operations

    def expected(self, *cursor_methods: str) -> list[str]:
        """The operations to expect where the design's table names these."""
        return [name for name in cursor_methods if name in CURSOR_METHODS]


class PythonSixMethods(TestedJournal):
    def restart(self) -> None:
        self._fake = SixMethods(self.slots() if self.bridge else ())
        self.bridge = Recording(self._fake, CURSOR_METHODS)

    def slots(self) -> list[Slot]:
        return list(self._fake._journal.slots)


class JavaCursor(TestedJournal):
    """Java's CursorJournal by its cursor."""

    methods: Sequence[str] = CURSOR_METHODS

    def __init__(self, new_journal: Callable[[Any], Any]) -> None:
        self._new_journal = new_journal
        super().__init__()

    def restart(self) -> None:
        self._java = self._new_journal(self._java.calls() if self.bridge else ())
        self.bridge = Recording(self._java, self.methods)

    def slots(self) -> list[Slot]:
        fields = (self._java.getCallResultFieldsAt(slot) for slot in range(self._java.size()))
        return [Slot(*call) for call in fields]


class JavaSlots(JavaCursor):
    """Java's Journal by its slots."""

    concurrent = True
    methods = (*SLOT_METHODS.values(), *ATTEMPT_METHODS)

    def access(self) -> JournalAccess:
        return slot_journal(_WithoutHolds(self.bridge, self._java), self._java.size())

    def expected(self, *cursor_methods: str) -> list[str]:
        names = {name: name for name in ATTEMPT_METHODS} | SLOT_METHODS
        # it knows how many slots are filled, and does not ask for the one behind them
        asked = [
            name
            for name, following in zip(cursor_methods, (*cursor_methods[1:], ""), strict=True)
            if (name, following) != ("getCurrentCallResultFields", "appendPendingCall")
        ]
        return [names[name] for name in asked if name in names]


class _WithoutHolds:
    """A journal in place of a `DurableBridge`, which is the one that knows of holds.

    Args:
        methods: The journal's, watched.
        journal: The journal.
    """

    def __init__(self, methods: Any, journal: Any) -> None:
        self._methods = methods
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._methods, name)
        if name == "appendPendingCallAt":
            return lambda *fields: self._begin(method, *fields[:-1])
        if name in ("scheduleCallAt", "recordCallCompletionAt"):
            return lambda *fields: self._begin(method, *fields)
        if name in ("startAttemptAt", "finalizeCallAt"):
            return lambda *fields: method(*fields[:-1])
        return method

    def _begin(self, method: Callable[..., None], *fields: Any) -> None:
        *fields_of_journal, began, repeatable = fields
        self._journal.begin(began)
        method(*fields_of_journal, repeatable == 1)
