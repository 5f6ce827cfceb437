"""The calls of one invocation: their slots, what is planned for them, and their outcomes."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, Protocol

from pyflink_durable.current_call import CurrentCall
from pyflink_durable.errors import NotInInvocation, PayloadNotWritable, PayloadRefused
from pyflink_durable.observer import Observer
from pyflink_durable.options import OnMismatch
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.seals import Offloaded
from pyflink_durable.payload.store_watch import StoreWatch
from pyflink_durable.runtime.execution.outcome import Outcome
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.journal.bridge import (
    PATCH,
    CallFields,
    HoldKind,
    Identity,
    ended_at,
)
from pyflink_durable.runtime.journal.call import Call, PlannedCall
from pyflink_durable.runtime.journal.call_site import site_on_the_stack
from pyflink_durable.runtime.journal.clock import InvocationClock
from pyflink_durable.runtime.journal.holds import Hold, Holds
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal.mismatch import Mismatch
from pyflink_durable.runtime.journal.planning import Plan, plan_call
from pyflink_durable.runtime.journal.times import AT_ONCE, now
from pyflink_durable.runtime.journal.unmade import Unmade, forget
from pyflink_durable.runtime.telemetry.telemetry import Telemetry


class Surroundings(Protocol):
    """The `Subtask`, as far as the calls of its invocations know it."""

    telemetry: Telemetry
    observer: Observer
    holds: Holds
    payloads: Payloads
    on_mismatch: OnMismatch


class Passed(NamedTuple):
    """An outcome for the handler, and what is journaled of it: a result, or an exception."""

    outcome: Outcome
    result: bytes | None
    exception: bytes | None

    @property
    def upload(self) -> Callable[[], None] | None:
        """What is to be done before it is journaled."""
        for payload in (self.result, self.exception):
            if isinstance(payload, Offloaded):
                return payload.upload
        return None

    def stored(self) -> Passed:
        """Without the object, which is in the store."""
        written = [None if one is None else bytes(one) for one in (self.result, self.exception)]
        return Passed(self.outcome, *written)


class CallJournal:
    """Gives the calls of one invocation their slots and journals their outcomes.

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
        "_made",
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
        self._made: dict[str, int] | None = None  # by durable_id; few handlers give any

    @property
    def telemetry(self) -> Telemetry:
        """Where to count and log."""
        return self._subtask.telemetry

    @property
    def store(self) -> StoreWatch | None:
        """Looks at the store into which large outcomes go first; None if there is none."""
        return self._subtask.payloads.store

    @property
    def size(self) -> int:
        """How many slots have been given out."""
        return self._next_slot

    # ---------------------------------------------------------------- the start of a call

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
        if (found[0], found[1]) == identity:
            return slot, found
        if found[0] == PATCH:
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
            if found[0] != PATCH:
                break
            self._next_slot += 1
            self._pass_over(self._next_slot - 1, found)
        slots = range(self._next_slot, self._next_slot + count)
        self._next_slot += count
        return slots

    def _pass_over(self, slot: int, found: CallFields) -> None:
        """A patch is decided, whether the handler still asks for it here or not."""
        self.patches.setdefault(found[1], True)
        self.access.replayed(slot, Identity(found[0], found[1]))
        self.note_replayed()

    def check_types(self, calls: Iterable[Call]) -> None:
        """Refuses calls whose results could not be journaled, before anything is done for them.

        Raises:
            ConfigurationError: The serializer has no form for the declared type.
        """
        payloads = self._subtask.payloads
        if payloads.typed:
            for call in calls:
                payloads.check(call)

    def plan(self, call: Call) -> PlannedCall:
        """Gives a call the next slot and says what is to be done for it; see `take_slot`."""
        if self._subtask.payloads.typed:
            self.check_types((call,))
        slot, found = self.take_slot(call.identity, call)
        if found is None and call.durable_id is None:  # as nearly all are
            return PlannedCall(call, slot, Plan.EXECUTE, None)
        return self.plan_slot(call, slot, found)

    def plan_slot(self, call: Call, slot: int, found: CallFields | None) -> PlannedCall:
        """Says what is to be done for a call, given what stands of it in its slot."""
        occurrence = 1 if call.durable_id is None else self._count(call.durable_id)
        if found is None:
            return PlannedCall(call, slot, Plan.EXECUTE, None, occurrence)
        plan = plan_call(found, call.reconciler is not None, call.options.in_doubt)
        planned = PlannedCall(call, slot, plan, found, occurrence)
        if plan is Plan.REPLAY:
            planned.ended_at = ended_at(found)
            self.access.replayed(slot, call.identity)
            self.observer.call_replayed(self.identity, planned)
        return planned

    def _count(self, durable_id: str) -> int:
        """Numbers the calls of one durable_id: each has an idempotency key of its own."""
        if self._made is None:
            self._made = {}
        self._made[durable_id] = occurrence = self._made.get(durable_id, 0) + 1
        return occurrence

    def announce(self, planned: PlannedCall) -> Hold | None:
        """Journals that a call of an empty slot may have started from here on.

        Returns:
            What to wait for before it starts.
        """
        if self.closed:
            self.check_open()
        slot, call = planned.slot, planned.call
        kind = call.options.start_hold
        hold = None if kind is None else self._subtask.holds.expect(self._number, slot)
        self.access.append_pending(slot, call.identity, call.options.repeatable, kind)
        if planned.progress is not None:
            planned.progress.attempt = 1
        return hold

    def start_attempt(
        self, planned: PlannedCall, attempt: int, kind: HoldKind | None
    ) -> Hold | None:
        """As `announce`, for a further attempt of a pending call."""
        self.check_open()
        hold = self.expect(planned.slot, kind)
        self.access.start_attempt(planned.slot, planned.call.identity, attempt, kind)
        if planned.progress is not None:
            planned.progress.attempt = attempt
        return hold

    def schedule(self, planned: PlannedCall, attempt: int, due: int) -> None:
        """Journals that an attempt has not started and is to start at a time."""
        self.check_open()
        call = planned.call
        self.access.schedule(planned.slot, call.identity, attempt, due, call.options.repeatable)

    def not_started(self, planned: PlannedCall, attempt: int) -> None:
        """Takes the start of an attempt back: the handler gave the call up before it began."""
        if not self.closed:
            self.schedule(planned, attempt, AT_ONCE)
        if planned.progress is not None:
            planned.progress.attempt = attempt - 1

    def current(self, planned: PlannedCall, attempt: int) -> CurrentCall:
        """What the function of an attempt may ask about it."""
        if planned.progress is not None:
            planned.progress.attempt = attempt
        return CurrentCall(
            attempt,
            planned.slot,
            planned.call.durable_id,
            planned.occurrence,
            self.identity,
        )

    def note_replayed(self) -> None:
        """The handler is given what stands in a slot; behind the last one all is new."""
        self._to_replay -= 1
        if self._to_replay <= 0:
            self.replaying = False

    def replay(self, planned: PlannedCall) -> Outcome:
        """What stands in a terminal slot.

        Raises:
            PayloadNotLoadable: It cannot be read back.
        """
        found, payloads, slot = planned.found, self._subtask.payloads, planned.slot
        assert found is not None
        self.note_replayed()
        try:
            if found[4] is not None:
                return Outcome(None, payloads.load_error(bytes(found[4]), self.identity, slot))
            value = payloads.load_result(bytes(found[3]), planned.call, self.identity, slot)
            return Outcome(value, None)
        except PayloadRefused as refused:
            self.break_off(refused)
            raise

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

    # ---------------------------------------------------------------- the end of a call

    def finish(
        self,
        planned: PlannedCall,
        outcome: Outcome,
        announced: bool = True,
        passed: Passed | None = None,
    ) -> tuple[Outcome, Hold | None]:
        """Journals the outcome of a call, which may have been passed before.

        Returns:
            The outcome to give to the handler, which is what a replay will give it, and what to
            wait for before.

        Raises:
            NotInInvocation: The invocation has ended.
        """
        if self.closed:
            self.telemetry.count("abandoned")
            self.check_open()
        slot, call = planned.slot, planned.call
        if passed is None:  # nothing is offloaded
            outcome, payload, exception = self._pass(outcome, planned.call, slot)
        else:
            outcome, payload, exception = passed.stored()
        planned.ended_at = at = now()
        if announced:
            kind = call.options.outcome_hold
            hold = self.expect(slot, kind)
            self.access.finalize(slot, call.identity, payload, exception, at, kind)
            return outcome, hold
        repeatable = call.options.repeatable
        self.access.record(slot, call.identity, payload, exception, at, repeatable)
        return outcome, None

    def pass_outcome(self, planned: PlannedCall, outcome: Outcome) -> Passed:
        """An outcome as a replay will give it, and its payload: a result, or an exception.

        Raises:
            PayloadNotWritable: A codec has failed; the invocation fails its task.
        """
        return Passed(*self._pass(outcome, planned.call, planned.slot))

    def _pass(
        self, outcome: Outcome, call: Call, slot: int
    ) -> tuple[Outcome, bytes | None, bytes | None]:
        payloads, error = self._subtask.payloads, outcome.error
        try:
            if error is None:
                try:
                    value, payload = payloads.pass_result(outcome.value, call, self.identity, slot)
                    if value is not outcome.value:
                        outcome = Outcome(value, None)
                    return outcome, payload, None
                except PayloadNotWritable:
                    raise
                except Exception as not_serializable:
                    error = not_serializable
            assert isinstance(error, Exception), "nothing is journaled of an interrupted call"
            passed, exception = payloads.pass_error(error, call, self.identity, slot)
        except PayloadNotWritable as failure:
            self.break_off(failure)
            raise
        return Outcome(None, passed), None, exception

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
        while (found := self.access.read(slot)) is not None and found[0] == PATCH:
            slot += 1
        if found is not None:
            self._settle(Mismatch(slot, found, None, ""))

    def _settle(self, mismatch: Mismatch, kept: Collection[int] = ()) -> None:
        policy, who = self._subtask.on_mismatch, self.identity.describe()
        error = mismatch.settle(self.access, policy, who, self.telemetry, kept)
        if error is not None:
            self.break_off(error)
            raise error
