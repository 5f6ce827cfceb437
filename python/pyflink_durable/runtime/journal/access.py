"""The journal of one invocation, by slot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from pyflink_durable.runtime.journal.bridge import (
    PENDING,
    CallFields,
    HoldKind,
    Identity,
    began_at,
)
from pyflink_durable.runtime.journal.times import now
from pyflink_durable.runtime.journal.writes import (
    ATTEMPT,
    CLEARED,
    FINALIZED,
    RECORDED,
    SCHEDULED,
    Write,
    calls_made,
)


class JournalAccess(ABC):
    """What may be read and written; a journal behind it takes each write as a `Write`.

    Attributes:
        concurrent: Whether several slots may be pending at a time.
        began: When the invocation began, in microseconds since the epoch: the same in every run of
            it that finds the first slot.
        kept: How many slots earlier runs have left; 0 where that is not known.
    """

    __slots__ = ()

    concurrent: bool
    began: int
    kept: int

    _id = 0  # the invocation's, where a bridge serves many
    _write: Callable[[Write], object]

    @abstractmethod
    def read(self, slot: int) -> CallFields | None:
        """The call in a slot, None if there is none."""

    @abstractmethod
    def replayed(self, slot: int, identity: Identity) -> None:
        """Tells that a call was answered from its slot."""

    # ---------------------------------------------------------------- writes

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
        # what each call writes is told field by field: a star costs a list more
        self._write(
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
                self.began if slot == 0 else None,
                int(repeatable),
                hold,
            )
        )

    def start_attempt(
        self, slot: int, identity: Identity, attempt: int, hold: HoldKind | None = None
    ) -> None:
        """Announces an attempt of a pending call."""
        call = (self._id, slot, identity[0], identity[1], ATTEMPT, None, None, attempt)
        self._write((*call, None, None, None, None, hold))

    def schedule(
        self, slot: int, identity: Identity, attempt: int, due: int, repeatable: bool
    ) -> None:
        """Writes that an attempt has not started and is to start at a time (epoch milliseconds).

        The slot is a pending one, or the one behind the last.
        """
        call = (self._id, slot, identity[0], identity[1], SCHEDULED, None, None, attempt, due, None)
        began = self.began if slot == 0 else None
        self._write((*call, began, int(repeatable), None))

    def open(self, slot: int, identity: Identity, due: int, repeatable: bool = True) -> None:
        """Opens a slot of another kind than a call's, behind the last one.

        Args:
            slot: The slot.
            identity: What it is to hold.
            due: When it will be filled at the latest (epoch milliseconds).
            repeatable: Whether nothing is lost when the slot is dropped.
        """
        opened = (self._id, slot, identity[0], identity[1], identity[2].value)
        began = self.began if slot == 0 else None
        self._write((*opened, None, None, None, due, None, began, int(repeatable), None))

    def finalize(
        self,
        slot: int,
        identity: Identity,
        result: bytes | None,
        exception: bytes | None,
        at: int,
        hold: HoldKind | None = None,
    ) -> None:
        """Fills a pending slot with an outcome, which came at a time (epoch microseconds)."""
        self._write(
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
        """Writes a call that has already ended in the slot behind the last one."""
        self._write(
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
                self.began if slot == 0 else None,
                int(repeatable),
                None,
            )
        )

    def clear_from(self, slot: int) -> None:
        """Drops a slot and all after it."""
        self._write((self._id, slot, "", "", CLEARED, *(None,) * 8))


class SlotJournal(JournalAccess):
    """A journal behind the slot-addressed methods of Java, several calls at a time.

    The first slot is read when the invocation begins, since it tells when that was; it is kept for
    the call that will ask for it.

    Args:
        bridge: A `DurableBridge`, or what has its methods for journals.
        invocation: The invocation's id.
        size: How many slots are filled; slots behind them are not asked for.
        write: Takes the writes, those of a step until it ends; by default the bridge does, at once.
    """

    __slots__ = ("_bridge", "_first", "_id", "_size", "_write", "began", "kept")

    concurrent = True

    def __init__(
        self,
        bridge: Any,
        invocation: int = 0,
        *,
        size: int,
        write: Callable[[Write], object] | None = None,
    ) -> None:
        self._bridge = bridge
        self._id = invocation
        # no method of its own: a cycle would leave each invocation to the garbage collector
        self._write = partial(_write_at_once, bridge) if write is None else write
        self._size = self.kept = size
        self._first = self._ask(0) if size else None
        began = began_at(self._first)
        self.began = now() if began is None else began

    def read(self, slot: int) -> CallFields | None:
        if slot >= self._size:
            return None
        if slot == 0 and self._first is not None:
            first, self._first = self._first, None
            return first
        return self._ask(slot)

    def _ask(self, slot: int) -> CallFields | None:
        fields: CallFields | None = self._bridge.getCallResultFieldsAt(self._id, slot)
        return fields

    def clear_from(self, slot: int) -> None:
        super().clear_from(slot)
        self._size = slot

    def replayed(self, slot: int, identity: Identity) -> None:
        """Nothing to tell: a slot needs no cursor."""


def _write_at_once(bridge: Any, write: Write) -> None:
    bridge.applyJournalWrites(calls_made((write,)), write)
