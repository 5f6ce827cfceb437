"""The calls of one invocation: their slots, what is planned for them, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pyflink_durable.context import NOT_EXECUTED, Reconciler
from pyflink_durable.errors import DurableExecutionError, JournalMismatch, NotInInvocation
from pyflink_durable.identity import compute_args_digest, compute_function_id
from pyflink_durable.runtime.bridge import CallFields, Identity, JournalAccess
from pyflink_durable.runtime.executors import Outcome
from pyflink_durable.runtime.payload import (
    dump_result,
    load_exception,
    load_result,
    prepare_exception,
)
from pyflink_durable.runtime.planning import Plan, plan_call
from pyflink_durable.runtime.telemetry import Telemetry
from pyflink_durable.validation import check_durable_id


class Call(NamedTuple):
    """A call as the handler makes it."""

    identity: Identity
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    reconciler: Reconciler | None

    @classmethod
    def of(
        cls,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reconciler: Reconciler | None,
        durable_id: str | None,
    ) -> Call:
        """Gives a call its identity."""
        function_id = compute_function_id(func)
        if durable_id is not None:
            function_id = check_durable_id(durable_id)
        identity = Identity(function_id, compute_args_digest(args, kwargs))
        return cls(identity, func, args, kwargs, reconciler)


class PlannedCall(NamedTuple):
    """A call with its slot and what is to be done for it.

    Attributes:
        found: What stood in the slot, None if nothing did.
    """

    call: Call
    slot: int
    plan: Plan
    found: CallFields | None


class CallJournal:
    """Gives the calls of one invocation their slots and journals their outcomes.

    Args:
        journal: The slots.
        on_mismatch: What to do with a slot of another call, see `DurableOptions`.
        telemetry: Where to count and log.
        describe: Names the invocation in log lines.
    """

    def __init__(
        self,
        journal: JournalAccess,
        on_mismatch: Literal["clear", "fail"],
        telemetry: Telemetry,
        describe: Callable[[], str],
    ) -> None:
        self.concurrent = journal.concurrent
        self.closed = False
        self._journal = journal
        self._on_mismatch = on_mismatch
        self._telemetry = telemetry
        self._describe = describe
        self._next_slot = 0

    def plan(self, call: Call, announce: bool = True) -> PlannedCall:
        """Gives a call the next slot and brings the slot into the state for what is planned.

        Args:
            call: The call.
            announce: Whether a call that is to run is journaled as pending. It need not be where
                no checkpoint can come between its start and its end; `finish` then records it.

        Raises:
            JournalMismatch: The slot holds another call (``on_mismatch="fail"``).
        """
        self.check_open()
        slot = self._next_slot
        self._next_slot = slot + 1
        found = self._journal.read(slot)
        plan = plan_call(found, call.identity, call.reconciler is not None)
        if plan is Plan.MISMATCH and found is not None:
            self._drop_mismatch(slot, call.identity, Identity(found[0], found[1]))
            plan = Plan.EXECUTE
        if plan is Plan.EXECUTE:
            if announce:
                self._journal.append_pending(slot, call.identity)
        elif plan is Plan.REPLAY:
            self._journal.replayed(slot, call.identity)
            self._telemetry.count("replayed")
        elif plan is Plan.REEXECUTE:
            self._telemetry.count("reexecuted")
        return PlannedCall(call, slot, plan, found)

    def close(self) -> None:
        """The invocation has ended: nothing is planned or journaled any more."""
        self.closed = True

    def check_open(self) -> None:
        """Raises if the invocation has ended.

        Raises:
            NotInInvocation: It has.
        """
        if self.closed:
            raise NotInInvocation(
                f"the invocation ({self._describe()}) has ended; its context takes no more calls, "
                "outputs or state. Await everything before the handler returns, and keep no "
                "context beyond it"
            )

    def reconciled(self, outcome: Outcome) -> bool:
        """Whether the reconciler's outcome is the call's; if not, the call is to run."""
        executed = outcome.value is not NOT_EXECUTED
        self._telemetry.count("reconciled" if executed else "reexecuted")
        return executed

    def finish(self, planned: PlannedCall, outcome: Outcome, announced: bool = True) -> Any:
        """Journals the outcome of a call, then returns or raises it."""
        if self.closed:
            self._telemetry.count("abandoned")
            self.check_open()
        error = outcome.error
        payload: bytes | None = None
        exception: bytes | None = None
        if error is None:
            try:
                payload = dump_result(outcome.value)
            except Exception as not_serializable:
                error = not_serializable
        if error is not None:
            if not isinstance(error, Exception):
                if not announced and planned.plan is Plan.EXECUTE:
                    self._next_slot = planned.slot  # nothing was written, so it is free again
                raise error  # cancellation, interrupt, shutdown: nothing is known of the call
            error, exception = prepare_exception(error)
        if announced or planned.plan is not Plan.EXECUTE:
            self._journal.finalize(planned.slot, planned.call.identity, payload, exception)
        else:
            self._journal.record(planned.slot, planned.call.identity, payload, exception)
        if error is not None:
            raise error
        return outcome.value

    def _drop_mismatch(self, slot: int, identity: Identity, found: Identity) -> None:
        self._telemetry.count("mismatched")
        if self._on_mismatch == "fail":
            raise JournalMismatch(slot, found, identity)
        self._telemetry.warning(
            f"{self._describe()} slot={slot} journaled={found} called={identity} the handler made "
            "another call than before the failure; this slot and all after it are dropped. A "
            "handler must be deterministic; see on_mismatch"
        )
        self._journal.clear_from(slot)


def replay(planned: PlannedCall) -> Any:
    """Returns or raises what stands in a terminal slot."""
    found = planned.found
    if found is None:
        raise DurableExecutionError(f"slot {planned.slot} is empty and cannot be replayed")
    if found[4] is not None:
        raise load_exception(bytes(found[4]))
    return load_result(bytes(found[3]))
