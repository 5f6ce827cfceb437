"""The slots of one invocation, whatever they hold."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Collection
from typing import Any, Protocol

from pyflink_durable.errors import NotInInvocation, PayloadRefused
from pyflink_durable.observer import Observer
from pyflink_durable.options import OnMismatch
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.journal.bridge import (
    CallFields,
    HoldKind,
    Identity,
    holds,
    kind_of,
)
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_site import site_on_the_stack
from pyflink_durable.runtime.journal.clock import InvocationClock
from pyflink_durable.runtime.journal.holds import Hold, Holds
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal.mismatch import Mismatch
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.unmade import Unmade, forget
from pyflink_durable.runtime.telemetry.telemetry import Telemetry


class Surroundings(Protocol):
    """The `Subtask`, as far as the calls of its invocations know it."""

    telemetry: Telemetry
    observer: Observer
    holds: Holds
    payloads: Payloads
    on_mismatch: OnMismatch


class InvocationJournal:
    """Gives out the slots of one invocation, and looks after what stands in them.

    Args:
        journal: The slots.
        identity: The invocation's.
        number: The invocation's number in this attempt of the subtask.
        subtask: What it shares with other invocations.

    Attributes:
        closed: Whether it takes nothing more: the invocation has ended, or is broken.
        broken: Why the invocation can only fail the task, whatever its handler does; None if it
            goes on.
        observer: Told of what happens to calls.
        thread: The one that the handler runs on; 0 if that is not known.
        loop: The one that it runs on; None for a ``def`` handler.
        replaying: Whether the handler has not yet been given anything that an earlier run was not.
        unmade: What the handler has to await, and has not yet, by its object's id.
        patches: What was decided of patches, see `patches.is_patched`.
    """

    __slots__ = (
        "_next_slot",
        "_number",
        "_subtask",
        "_to_replay",
        "access",
        "broken",
        "clock",
        "closed",
        "identity",
        "loop",
        "observer",
        "patches",
        "replaying",
        "thread",
        "unmade",
    )

    def __init__(
        self,
        journal: JournalAccess,
        identity: InvocationIdentity,
        number: int,
        subtask: Surroundings,
    ) -> None:
        self.access = journal
        self.clock = InvocationClock(journal.began)
        self.closed = False
        self.broken: BaseException | None = None
        self.replaying = journal.kept > 0
        self._to_replay = journal.kept
        self.thread = 0
        self.unmade: Unmade = {}
        self.patches: dict[str, bool] = {}
        self.loop: AbstractEventLoop | None = None
        self.identity = identity
        self.observer = subtask.observer
        self._number = number
        self._subtask = subtask
        self._next_slot = 0

    @property
    def telemetry(self) -> Telemetry:
        """Where to count and log."""
        return self._subtask.telemetry

    @property
    def size(self) -> int:
        """How many slots have been given out."""
        return self._next_slot

    # ---------------------------------------------------------------- slots

    def take_slot(
        self, identity: Identity, call: Call | None = None
    ) -> tuple[int, CallFields | None]:
        """Gives the next slot, and what stands in it of this identity, or of this call.

        A slot of another identity is dropped with all after it: the handler took another path than
        before the failure.

        Raises:
            NotInInvocation: The invocation has ended.
            JournalMismatch: The slot has another identity, see `drop_mismatch`.
        """
        if self.closed:
            self.check_open()
        slot = self._next_slot
        self._next_slot = slot + 1
        found = self.access.read(slot)
        if found is None:
            self.replaying = False
            return slot, None
        if holds(found, identity):
            return slot, found
        if kind_of(found) is SlotKind.PATCH:
            self._pass_over(slot, found)
            return self.take_slot(identity, call)
        if call is None or not call.stands_in(found):
            self.drop_mismatch(slot, found, call or identity)
            self.replaying = False
            found = None
        return slot, found

    def take_slots(self, count: int) -> range:
        """Gives the next slots together, for calls that are planned together."""
        self.check_open()
        while self.replaying and (found := self.access.read(self._next_slot)) is not None:
            if kind_of(found) is not SlotKind.PATCH:
                break
            self._next_slot += 1
            self._pass_over(self._next_slot - 1, found)
        slots = range(self._next_slot, self._next_slot + count)
        self._next_slot += count
        return slots

    def _pass_over(self, slot: int, found: CallFields) -> None:
        """A patch is decided, whether the handler still asks for it here or not."""
        identity = Identity.of(found)
        self.patches.setdefault(identity.function_id, True)
        self.access.replayed(slot, identity)
        self.note_replayed()

    def note_replayed(self) -> None:
        """The handler is given what stands in a slot; behind the last one all is new."""
        self._to_replay -= 1
        if self._to_replay <= 0:
            self.replaying = False

    def dump_own(self, value: Any, kind: Any, slot: int) -> bytes:
        """A payload of the runtime's own, see `Payloads.dump_own`."""
        return self._subtask.payloads.dump_own(value, kind, self.identity, slot)

    def load_own(self, payload: bytes, kind: Any, slot: int) -> Any:
        """Reads it."""
        try:
            return self._subtask.payloads.load_own(payload, kind, self.identity, slot)
        except PayloadRefused as refused:
            self.break_off(refused)
            raise

    def open_signal(self, content: bytes) -> bytes:
        """The pickle of a signal that was taken, see `Payloads.open_signal`."""
        try:
            return self._subtask.payloads.open_signal(content, self.identity)
        except PayloadRefused as refused:
            self.break_off(refused)
            raise

    # ---------------------------------------------------------------- the end of the invocation

    def close(self) -> None:
        """The invocation has ended: nothing is planned or journaled any more."""
        self.closed = True
        if self.unmade:
            forget(self.unmade)

    def break_off(self, reason: BaseException) -> None:
        """Something happened that no journal holds: a handler that went on would take another path.

        So the invocation fails its task with it, also if the handler catches it.
        """
        if not self.closed:
            self.broken = reason
            self.closed = True

    def check_open(self) -> None:
        """Raises if the invocation has ended.

        Raises:
            NotInInvocation: It has, or it is broken.
        """
        if self.broken is not None:
            raise NotInInvocation(
                f"the invocation ({self.identity.describe()}) cannot go on, and its task fails: "
                f"{self.broken!r}"
            ) from self.broken
        if self.closed:
            raise NotInInvocation(
                f"the invocation ({self.identity.describe()}) has ended; its context takes no more "
                "calls, outputs or state. Await everything before the handler returns, and keep no "
                "context beyond it"
            )

    def expect(self, slot: int, kind: HoldKind | None) -> Hold | None:
        """Makes the hold for a write that is about to be made; None if nothing is waited for."""
        return None if kind is None else self._subtask.holds.expect(self._number, slot)

    def drop_mismatch(
        self,
        slot: int,
        found: CallFields,
        call: Call | Identity,
        kept: Collection[int] = (),
    ) -> None:
        """Drops a slot of another call, and all after it, if the operator's settings let it.

        Args:
            slot: The slot.
            found: What stands in it.
            call: What the handler has called.
            kept: Slots that are written again.

        Raises:
            JournalMismatch: They do not; the invocation then fails its task.
        """
        if isinstance(call, Call):
            called, site = call.identity, call.site
        else:
            called, site = call, site_on_the_stack()
        self._settle(Mismatch(slot, found, called, str(site or "")), kept)
        self.access.clear_from(slot)

    def check_left(self) -> None:
        """Looks for slots that the handler has not come to, before they are dropped at its end.

        Raises:
            JournalMismatch: As `drop_mismatch` does.
        """
        if self.closed or not self.access.concurrent:
            return
        slot = self._next_slot
        while (found := self.access.read(slot)) and kind_of(found) is SlotKind.PATCH:
            slot += 1
        if found is not None:
            self._settle(Mismatch(slot, found, None, ""))

    def _settle(self, mismatch: Mismatch, kept: Collection[int] = ()) -> None:
        policy, who = self._subtask.on_mismatch, self.identity.describe()
        error = mismatch.settle(self.access, policy, who, self.telemetry, kept)
        if error is not None:
            self.break_off(error)
            raise error
