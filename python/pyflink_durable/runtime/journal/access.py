"""Slot-wise access to the journal of one invocation, over any bridge; written to at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pyflink_durable.errors import DurableExecutionError
from pyflink_durable.runtime.journal.bridge import (
    NO_TIME,
    Bridge,
    CallFields,
    HoldKind,
    Identity,
    began_at,
)
from pyflink_durable.runtime.journal.times import now


class JournalAccess(ABC):
    """The journal of one invocation, by slot.

    Attributes:
        began: When the invocation began, in microseconds since the epoch: the same in every run of
            it that finds the first slot.
        kept: How many slots earlier runs have left; 0 where that is not known.
    """

    __slots__ = ()

    concurrent: bool
    """Whether several slots may be pending at a time."""

    began: int
    kept: int

    @abstractmethod
    def read(self, slot: int) -> CallFields | None:
        """The call in a slot, None if there is none."""

    @abstractmethod
    def append_pending(
        self, slot: int, identity: Identity, repeatable: bool, hold: HoldKind | None = None
    ) -> None:
        """Announces a call in the slot behind the last one; it may have started from here on.

        Args:
            slot: The slot.
            identity: The call's.
            repeatable: Whether the call may simply run again, see `ResolvedOptions.repeatable`.
            hold: What it waits for.
        """

    @abstractmethod
    def start_attempt(
        self, slot: int, identity: Identity, attempt: int, hold: HoldKind | None = None
    ) -> None:
        """Announces an attempt of a pending call."""

    @abstractmethod
    def schedule(
        self, slot: int, identity: Identity, attempt: int, due: int, repeatable: bool
    ) -> None:
        """Writes that an attempt has not started and is to start at a time (epoch milliseconds).

        The slot is a pending one, or the one behind the last.
        """

    @abstractmethod
    def finalize(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        hold: HoldKind | None = None,
    ) -> None:
        """Writes the outcome of a pending call, which came at a time (epoch microseconds)."""

    @abstractmethod
    def record(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        repeatable: bool,
    ) -> None:
        """Writes a call that has already ended in the slot behind the last one."""

    @abstractmethod
    def clear_from(self, slot: int) -> None:
        """Drops a slot and all after it."""

    @abstractmethod
    def replayed(self, slot: int, identity: Identity) -> None:
        """Tells that a call was answered from its slot."""


class CursorJournal(JournalAccess):
    """A journal behind the six methods: slots one after another.

    It knows nothing of attempts and times, nor of what is repeatable: that of a call is forgotten
    with the process.
    """

    concurrent = False
    kept = 0

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.began = now()
        self._cursor = 0
        self._announced = False

    def read(self, slot: int) -> CallFields | None:
        self._require_cursor(slot)
        found = self._bridge.getCurrentCallResultFields()
        self._announced = found is not None
        return found

    def append_pending(
        self, slot: int, identity: Identity, repeatable: bool, hold: HoldKind | None = None
    ) -> None:
        self._require_cursor(slot)
        self._bridge.appendPendingCall(*identity)
        self._announced = True

    def start_attempt(
        self, slot: int, identity: Identity, attempt: int, hold: HoldKind | None = None
    ) -> None:
        self._require_cursor(slot)

    def schedule(
        self, slot: int, identity: Identity, attempt: int, due: int, repeatable: bool
    ) -> None:
        if not self._announced:
            self.append_pending(slot, identity, repeatable)

    def finalize(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        hold: HoldKind | None = None,
    ) -> None:
        self._require_cursor(slot)
        self._bridge.finalizeCurrentCall(*identity, result, exception)
        self._move()

    def record(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        repeatable: bool,
    ) -> None:
        self._require_cursor(slot)
        self._bridge.recordCallCompletion(*identity, result, exception)
        self._move()

    def clear_from(self, slot: int) -> None:
        self._require_cursor(slot)
        self._bridge.clearCallResultsFromCurrentIndexAndPersist()
        self._announced = False

    def replayed(self, slot: int, identity: Identity) -> None:
        self._require_cursor(slot)
        if self._bridge.matchNextOrClearSubsequentCallResult(*identity) is None:
            raise DurableExecutionError(
                f"the bridge lost slot {slot} of {identity} between reading and replaying it"
            )
        self._move()

    def _move(self) -> None:
        self._cursor += 1
        self._announced = False

    def _require_cursor(self, slot: int) -> None:
        if slot != self._cursor:
            raise DurableExecutionError(
                f"slot {slot} was asked for while slot {self._cursor} is still pending: this "
                "bridge takes calls one after another; await each before you make the next"
            )


class SlotAccess(JournalAccess):
    """By slot, over a journal of which it is known how many slots are filled.

    The first slot is read when the invocation begins, since it tells when that was; it is kept for
    the call that will ask for it.
    """

    __slots__ = ("_first", "_size", "began", "kept")

    concurrent = True

    def _begin(self, size: int) -> None:
        self._size = size
        self.kept = size
        self._first = self._read(0) if size else None
        began = began_at(self._first)
        self.began = now() if began is None else began

    @abstractmethod
    def _read(self, slot: int) -> CallFields | None:
        """The call in a slot, asked of the bridge."""

    def read(self, slot: int) -> CallFields | None:
        if slot >= self._size:
            return None
        if slot == 0 and self._first is not None:
            first, self._first = self._first, None
            return first
        return self._read(slot)

    def replayed(self, slot: int, identity: Identity) -> None:
        """Nothing to tell: a slot needs no cursor."""


class SlotJournal(SlotAccess):
    """A journal behind the slot-addressed methods of Java, written to at once.

    Args:
        bridge: A `DurableBridge`, or one journal with the same methods.
        *invocation: The invocation's id for a `DurableBridge`, which serves many; nothing for
            one journal.
        size: How many slots are filled; slots behind them are not asked for.
    """

    def __init__(self, bridge: Any, *invocation: int, size: int) -> None:
        self._bridge = bridge
        self._invocation = invocation
        self._begin(size)

    def _read(self, slot: int) -> CallFields | None:
        fields: CallFields | None = self._bridge.getCallResultFieldsAt(*self._invocation, slot)
        return fields

    def _began(self, slot: int) -> int:
        return self.began if slot == 0 else NO_TIME

    def append_pending(
        self, slot: int, identity: Identity, repeatable: bool, hold: HoldKind | None = None
    ) -> None:
        more = (self._began(slot), int(repeatable), hold)
        self._bridge.appendPendingCallAt(*self._invocation, slot, *identity, *more)

    def start_attempt(
        self, slot: int, identity: Identity, attempt: int, hold: HoldKind | None = None
    ) -> None:
        self._bridge.startAttemptAt(*self._invocation, slot, *identity, attempt, hold)

    def schedule(
        self, slot: int, identity: Identity, attempt: int, due: int, repeatable: bool
    ) -> None:
        more = (attempt, due, self._began(slot), int(repeatable))
        self._bridge.scheduleCallAt(*self._invocation, slot, *identity, *more)

    def finalize(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        hold: HoldKind | None = None,
    ) -> None:
        outcome = (result, exception, at, hold)
        self._bridge.finalizeCallAt(*self._invocation, slot, *identity, *outcome)

    def record(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        repeatable: bool,
    ) -> None:
        outcome = (result, exception, at, self._began(slot), int(repeatable))
        self._bridge.recordCallCompletionAt(*self._invocation, slot, *identity, *outcome)

    def clear_from(self, slot: int) -> None:
        self._bridge.clearCallResultsFrom(*self._invocation, slot)
        self._size = slot
