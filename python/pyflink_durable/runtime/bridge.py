"""The Java objects the runtime talks to, and slot-wise access to a journal over either of them.

The names are Java's: the same object may be reached through pemja in the operator, through py4j in
tests, or be a Python object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

from pyflink_durable.errors import DurableExecutionError


class Identity(NamedTuple):
    """What tells one call from another."""

    function_id: str
    args_digest: str

    def __str__(self) -> str:
        return f"{self.function_id}({self.args_digest})"


CallFields = Sequence[Any]
"""``[function_id, args_digest, status, result, exception]``, and the completion order if known."""

PENDING = "PENDING"

# what a journal write of a step does, next to PENDING
FINALIZED, RECORDED, CLEARED = "FINALIZED", "RECORDED", "CLEARED"


class Bridge(Protocol):
    """The six methods that are enough for calls made one after another."""

    def getCurrentCallResultFields(self) -> CallFields | None: ...

    def matchNextOrClearSubsequentCallResult(
        self, function_id: str, args_digest: str
    ) -> Sequence[Any] | None: ...

    def recordCallCompletion(
        self, function_id: str, args_digest: str, result: bytes | None, exception: bytes | None
    ) -> None: ...

    def appendPendingCall(self, function_id: str, args_digest: str) -> None: ...

    def finalizeCurrentCall(
        self, function_id: str, args_digest: str, result: bytes | None, exception: bytes | None
    ) -> None: ...

    def clearCallResultsFromCurrentIndexAndPersist(self) -> None: ...


class JournalAccess(ABC):
    """The journal of one invocation, by slot."""

    concurrent: bool
    """Whether several slots may be pending at a time."""

    @abstractmethod
    def read(self, slot: int) -> CallFields | None:
        """The call in a slot, None if there is none."""

    @abstractmethod
    def append_pending(self, slot: int, identity: Identity) -> None:
        """Announces a call in the slot behind the last one."""

    @abstractmethod
    def finalize(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        """Writes the outcome of a pending call."""

    @abstractmethod
    def record(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        """Writes a call that has already ended in the slot behind the last one."""

    @abstractmethod
    def clear_from(self, slot: int) -> None:
        """Drops a slot and all after it."""

    @abstractmethod
    def replayed(self, slot: int, identity: Identity) -> None:
        """Tells that a call was answered from its slot."""


class CursorJournal(JournalAccess):
    """A journal behind the six methods: slots one after another."""

    concurrent = False

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._cursor = 0

    def read(self, slot: int) -> CallFields | None:
        self._require_cursor(slot)
        return self._bridge.getCurrentCallResultFields()

    def append_pending(self, slot: int, identity: Identity) -> None:
        self._require_cursor(slot)
        self._bridge.appendPendingCall(*identity)

    def finalize(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        self._require_cursor(slot)
        self._bridge.finalizeCurrentCall(*identity, result, exception)
        self._cursor += 1

    def record(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        self._require_cursor(slot)
        self._bridge.recordCallCompletion(*identity, result, exception)
        self._cursor += 1

    def clear_from(self, slot: int) -> None:
        self._require_cursor(slot)
        self._bridge.clearCallResultsFromCurrentIndexAndPersist()

    def replayed(self, slot: int, identity: Identity) -> None:
        self._require_cursor(slot)
        if self._bridge.matchNextOrClearSubsequentCallResult(*identity) is None:
            raise DurableExecutionError(
                f"the bridge lost slot {slot} of {identity} between reading and replaying it"
            )
        self._cursor += 1

    def _require_cursor(self, slot: int) -> None:
        if slot != self._cursor:
            raise DurableExecutionError(
                f"slot {slot} was asked for while slot {self._cursor} is still pending: this "
                "bridge takes calls one after another; await each before you make the next"
            )


class SlotJournal(JournalAccess):
    """A journal behind the slot-addressed methods of Java.

    Args:
        bridge: A `DurableBridge` or a `Journal`.
        *invocation: The invocation's id for a `DurableBridge`, which serves many; nothing for
            a `Journal`.
        size: How many slots are filled; slots behind them are not asked for.
    """

    concurrent = True

    def __init__(self, bridge: Any, *invocation: int, size: int) -> None:
        self._bridge = bridge
        self._invocation = invocation
        self._size = size

    def read(self, slot: int) -> CallFields | None:
        if slot >= self._size:
            return None
        fields: CallFields | None = self._bridge.getCallResultFieldsAt(*self._invocation, slot)
        return fields

    def append_pending(self, slot: int, identity: Identity) -> None:
        self._bridge.appendPendingCallAt(*self._invocation, slot, *identity)

    def finalize(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        self._bridge.finalizeCallAt(*self._invocation, slot, *identity, result, exception)

    def record(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        self._bridge.recordCallCompletionAt(*self._invocation, slot, *identity, result, exception)

    def clear_from(self, slot: int) -> None:
        self._bridge.clearCallResultsFrom(*self._invocation, slot)
        self._size = slot

    def replayed(self, slot: int, identity: Identity) -> None:
        """Nothing to tell: a slot needs no cursor."""


class JournalWrites:
    """Journal writes of one step, applied together when it ends.

    Snapshots are taken between steps only, so nobody can tell; and what an invocation wrote that
    ended in the same step need not be written at all.

    Attributes:
        executed: How many calls were made in this step.
    """

    def __init__(self) -> None:
        self._by_invocation: dict[int, list[Any]] = {}
        self.executed = 0

    def of(self, invocation: int) -> list[Any]:
        """The writes of one invocation, flat; to be appended to."""
        writes = self._by_invocation.get(invocation)
        if writes is None:
            writes = self._by_invocation[invocation] = []
        return writes

    def forget(self, invocation: int) -> None:
        """Drops the writes of an invocation that has ended."""
        self._by_invocation.pop(invocation, None)

    def take(self) -> tuple[int, tuple[Any, ...]]:
        """How many calls were made, and all writes, flat; none are left."""
        executed, self.executed = self.executed, 0
        if not self._by_invocation:
            return executed, ()
        taken = tuple(chain.from_iterable(self._by_invocation.values()))
        self._by_invocation.clear()
        return executed, taken


class StepJournal(SlotJournal):
    """A journal for a handler that runs in steps of the task thread: its writes wait for the end.

    Args:
        bridge: A `DurableBridge`.
        invocation: The invocation's id.
        size: How many slots are filled.
        writes: Where the writes of the step are collected.
    """

    def __init__(self, bridge: Any, invocation: int, *, size: int, writes: JournalWrites) -> None:
        super().__init__(bridge, invocation, size=size)
        self._id = invocation
        self._writes = writes

    def append_pending(self, slot: int, identity: Identity) -> None:
        self._writes.executed += 1
        self._writes.of(self._id).extend((self._id, slot, *identity, PENDING, None, None))

    def finalize(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        write = (self._id, slot, *identity, FINALIZED, result, exception)
        self._writes.of(self._id).extend(write)

    def record(
        self, slot: int, identity: Identity, result: bytes | None, exception: bytes | None
    ) -> None:
        self._writes.executed += 1
        write = (self._id, slot, *identity, RECORDED, result, exception)
        self._writes.of(self._id).extend(write)

    def clear_from(self, slot: int) -> None:
        self._writes.of(self._id).extend((self._id, slot, "", "", CLEARED, None, None))
        self._size = slot
