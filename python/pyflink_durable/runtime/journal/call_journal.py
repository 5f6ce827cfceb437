"""The calls of one invocation: what is planned for them, and their outcomes."""

from __future__ import annotations

from collections.abc import Iterable

from pyflink_durable.current_call import CurrentCall
from pyflink_durable.errors import PayloadNotWritable, PayloadRefused
from pyflink_durable.payload.store_watch import StoreWatch
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.bridge import CallFields, HoldKind, ended_at
from pyflink_durable.runtime.journal.call import Call, PlannedCall
from pyflink_durable.runtime.journal.holds import Hold
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.passed import Passed
from pyflink_durable.runtime.journal.planning import Plan, plan_call
from pyflink_durable.runtime.journal.times import AT_ONCE, now


class CallJournal(InvocationJournal):
    """Gives the calls of an invocation their slots and journals their outcomes."""

    _made: dict[str, int] | None = None  # by durable_id; few handlers give any

    @property
    def store(self) -> StoreWatch | None:
        """Looks at the store into which large outcomes go first; None if there is none."""
        return self._subtask.payloads.store

    # ---------------------------------------------------------------- the start of a call

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

    def replay(self, planned: PlannedCall) -> FunctionOutcome:
        """What stands in a terminal slot.

        Raises:
            PayloadNotLoadable: It cannot be read back.
        """
        found, payloads, slot = planned.found, self._subtask.payloads, planned.slot
        assert found is not None
        self.note_replayed()
        try:
            if found[4] is not None:
                return FunctionOutcome(
                    None, payloads.load_error(bytes(found[4]), self.identity, slot)
                )
            value = payloads.load_result(bytes(found[3]), planned.call, self.identity, slot)
            return FunctionOutcome(value, None)
        except PayloadRefused as refused:
            self.break_off(refused)
            raise

    # ---------------------------------------------------------------- the end of a call

    def finish(
        self,
        planned: PlannedCall,
        outcome: FunctionOutcome,
        announced: bool = True,
        passed: Passed | None = None,
    ) -> tuple[FunctionOutcome, Hold | None]:
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

    def pass_outcome(self, planned: PlannedCall, outcome: FunctionOutcome) -> Passed:
        """An outcome as a replay will give it, and its payload: a result, or an exception.

        Raises:
            PayloadNotWritable: A codec has failed; the invocation fails its task.
        """
        return Passed(*self._pass(outcome, planned.call, planned.slot))

    def _pass(
        self, outcome: FunctionOutcome, call: Call, slot: int
    ) -> tuple[FunctionOutcome, bytes | None, bytes | None]:
        payloads, error = self._subtask.payloads, outcome.error
        try:
            if error is None:
                try:
                    value, payload = payloads.pass_result(outcome.value, call, self.identity, slot)
                    if value is not outcome.value:
                        outcome = FunctionOutcome(value, None)
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
        return FunctionOutcome(None, passed), None, exception
