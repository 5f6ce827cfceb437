"""The calls of one invocation: their slots, what is planned for them, and their outcomes."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from pyflink_durable.batch import CallPool
from pyflink_durable.context import Reconciler
from pyflink_durable.current_call import CurrentCall
from pyflink_durable.errors import NotInInvocation
from pyflink_durable.identity import compute_args_digest, compute_function_id
from pyflink_durable.identity_versions import older_rule_of
from pyflink_durable.options import OnMismatch
from pyflink_durable.runtime.bridge import (
    CallFields,
    HoldKind,
    Identity,
    attempt_of,
    completion_of,
    due_of,
    ended_at,
)
from pyflink_durable.runtime.call_options import CallOptions
from pyflink_durable.runtime.call_site import CallSite, call_site, site_on_the_stack
from pyflink_durable.runtime.clock import InvocationClock
from pyflink_durable.runtime.copies import copy_of_call
from pyflink_durable.runtime.deadlines import AT_ONCE, now
from pyflink_durable.runtime.holds import Hold, Holds
from pyflink_durable.runtime.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal import JournalAccess
from pyflink_durable.runtime.mismatch import Mismatch
from pyflink_durable.runtime.outcome import Outcome
from pyflink_durable.runtime.payload import (
    load_exception,
    load_result,
    pass_error,
    pass_result,
)
from pyflink_durable.runtime.planning import Plan, plan_call
from pyflink_durable.runtime.script_classes import ScriptClasses
from pyflink_durable.runtime.telemetry import Telemetry
from pyflink_durable.runtime.unmade import Unmade, forget
from pyflink_durable.validation import check_durable_id

_NO_KWARGS: dict[str, Any] = {}


@dataclass(slots=True, eq=False)
class Call:
    """A call as the handler makes it.

    Attributes:
        site: Where in its code.
    """

    identity: Identity
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    reconciler: Reconciler | None
    durable_id: str | None
    options: CallOptions
    pool: CallPool = "calls"
    site: CallSite | None = None

    @property
    def name(self) -> str:
        """How its function is told."""
        return self.identity.function_id

    @property
    def given_up(self) -> bool:
        """What gives up a call that has not begun takes it from the unmade ones."""
        return False

    def drop(self) -> None:
        """Nothing holds on to a call."""

    @classmethod
    def of(
        cls,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reconciler: Reconciler | None,
        durable_id: str | None,
        options: CallOptions,
        pool: CallPool = "calls",
    ) -> Call:
        """Gives a call its identity, and takes its arguments as they are now."""
        # of a call that waits for minutes nothing is kept that is not needed
        kwargs = kwargs or _NO_KWARGS
        if durable_id is None:
            function_id = compute_function_id(func)
        else:
            function_id = check_durable_id(durable_id)
        identity = Identity(function_id, compute_args_digest(args, kwargs))
        func, args, kwargs = copy_of_call(func, args, kwargs)
        site = call_site()
        return cls(identity, func, args, kwargs, reconciler, durable_id, options, pool, site)

    def stands_in(self, found: CallFields) -> bool:
        """Whether a slot holds this call; it goes by the identity that it has there, from then on.

        What an older release has written is compared by that release's rule.
        """
        identity = Identity(found[0], found[1])
        if identity == self.identity:
            return True
        rule = older_rule_of(identity.args_digest)
        if rule is None or (self.durable_id or rule.function_id(self.func)) != identity.function_id:
            return False
        if rule.args_digest(self.args, self.kwargs) != identity.args_digest:
            return False
        self.identity = identity
        return True


class CallProgress:
    """How far a call has come, for those who want to know more than its outcome.

    Attributes:
        attempt: The number of the last start that was journaled; 0 if none was.
        reconciled: Whether its reconciler told the outcome.
    """

    __slots__ = ("attempt", "reconciled")

    def __init__(self) -> None:
        self.attempt = 0
        self.reconciled = False


@dataclass(slots=True, eq=False)
class PlannedCall:
    """A call with its slot and what is to be done for it.

    Attributes:
        found: What stood in the slot, None if nothing did.
        occurrence: How many calls with its durable_id the invocation has made, this one included.
        progress: Where to tell how far it has come; None if nobody asks.
        ended_at: When its outcome came, in microseconds since the epoch; None before.
    """

    call: Call
    slot: int
    plan: Plan
    found: CallFields | None
    occurrence: int = 1
    progress: CallProgress | None = None
    ended_at: int | None = None

    @property
    def attempt(self) -> int:
        """The number of the attempt in the slot."""
        return 1 if self.found is None else attempt_of(self.found)


class Surroundings(Protocol):
    """The `Subtask`, as far as the calls of its invocations know it."""

    telemetry: Telemetry
    holds: Holds
    classes: ScriptClasses | None
    on_mismatch: OnMismatch


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
        thread: The one that the handler runs on; 0 if that is not known.
        loop: The one that it runs on; None for a ``def`` handler.
        unmade: What the handler has to await, and has not yet, by its object's id.
    """

    __slots__ = (
        "_made",
        "_next_slot",
        "_number",
        "_subtask",
        "access",
        "broken",
        "clock",
        "closed",
        "identity",
        "loop",
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
        self.thread = 0
        self.unmade: Unmade = {}
        self.loop: AbstractEventLoop | None = None
        self.identity = identity
        self._number = number
        self._subtask = subtask
        self._next_slot = 0
        self._made: dict[str, int] | None = None  # by durable_id; few handlers give any

    @property
    def telemetry(self) -> Telemetry:
        """Where to count and log."""
        return self._subtask.telemetry

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
        if found is None or (found[0], found[1]) == identity:
            return slot, found
        if call is None or not call.stands_in(found):
            self.drop_mismatch(slot, found, call or identity)
            found = None
        return slot, found

    def take_slots(self, count: int) -> range:
        """Gives the next slots together, for calls that are planned together."""
        self.check_open()
        slots = range(self._next_slot, self._next_slot + count)
        self._next_slot += count
        return slots

    def plan(self, call: Call) -> PlannedCall:
        """Gives a call the next slot and says what is to be done for it; see `take_slot`."""
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
            self.telemetry.count("replayed")
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

    def replay(self, planned: PlannedCall) -> Outcome:
        """What stands in a terminal slot.

        Raises:
            PayloadNotLoadable: It cannot be read back.
        """
        found, classes = planned.found, self._subtask.classes
        assert found is not None
        if found[4] is not None:
            return Outcome(None, load_exception(bytes(found[4]), classes))
        return Outcome(load_result(bytes(found[3]), classes), None)

    # ---------------------------------------------------------------- the end of a call

    def finish(
        self, planned: PlannedCall, outcome: Outcome, announced: bool = True
    ) -> tuple[Outcome, Hold | None]:
        """Journals the outcome of a call.

        Returns:
            The outcome to give to the handler, which is what a replay will give it, and what to
            wait for before.

        Raises:
            NotInInvocation: The invocation has ended.
        """
        if self.closed:
            self.telemetry.count("abandoned")
            self.check_open()
        error = outcome.error
        payload: bytes | None = None
        exception: bytes | None = None
        if error is None:
            try:
                value, payload = pass_result(outcome.value, self._subtask.classes)
                if value is not outcome.value:
                    outcome = Outcome(value, None)
            except Exception as not_serializable:
                error = not_serializable
        if error is not None:
            assert isinstance(error, Exception), "nothing is journaled of an interrupted call"
            error, exception = pass_error(error, self._subtask.classes)
            outcome = Outcome(None, error)
        slot, call = planned.slot, planned.call
        planned.ended_at = at = now()
        if announced:
            kind = call.options.outcome_hold
            hold = self.expect(slot, kind)
            self.access.finalize(slot, call.identity, payload, exception, at, kind)
            return outcome, hold
        repeatable = call.options.repeatable
        self.access.record(slot, call.identity, payload, exception, at, repeatable)
        return outcome, None

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
        slot = self._next_slot
        found = self.access.read(slot) if self.access.concurrent and not self.closed else None
        if found is not None:
            self._settle(Mismatch(slot, found, None, ""))

    def _settle(self, mismatch: Mismatch, kept: Collection[int] = ()) -> None:
        policy, who = self._subtask.on_mismatch, self.identity.describe()
        error = mismatch.settle(self.access, policy, who, self.telemetry, kept)
        if error is not None:
            self.break_off(error)
            raise error


def completion_order(planned: PlannedCall) -> int:
    """The place of a replayed call in the order of completion."""
    assert planned.found is not None
    return completion_of(planned.found)


def due_time(planned: PlannedCall) -> int:
    """When a call that has not started is to start, in milliseconds since the epoch."""
    due = None if planned.found is None else due_of(planned.found)
    assert due is not None
    return due
