"""What a recorded invocation met, for it to meet again: outcomes of calls, and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import pytest
from bridges import Slot, SlotsInMemory
from clocks import Clock
from recordings import Moment

from pyflink_durable import DurableOptions
from pyflink_durable.payload.results import load_exception, load_result
from pyflink_durable.runtime.batches import blocking_batch
from pyflink_durable.runtime.calls import blocking_call, life
from pyflink_durable.runtime.execution.execution import Execution, Report
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call_options import OptionsResolver, ResolvedOptions
from pyflink_durable.runtime.journal.holds import Hold, Holds
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import AT_ONCE
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

_HOUR = 3_600.0
_DAYS = 100 * 86_400.0


class NoOutcome(BaseException):
    """The recorded run knows no outcome of a call that the thread of the handler waits for."""


class MadeAgain(Exception):
    """A call is made that has an outcome."""


class RecordedWorld:
    """The calls' executor and the clock of one replay.

    Args:
        moment: What the replay starts from.
        last: The end of the recorded run.
        number: The number of the moment.
        began: When the recorded run began.

    Attributes:
        clock: Of the process of the replay.
        journal: Of the invocation.
    """

    def __init__(self, moment: Moment, last: Moment, number: int, began: float) -> None:
        self._moment = moment
        self._last = last
        # without a slot the invocation begins anew
        start = _start_of(moment) if moment.slots and number else began
        self.clock = Clock(now=start, origin=1_000_000.0 * (1 + number))
        self.journal = _Slots(moment.slots, self._meet)
        self._waiting: dict[int, Callable[[FunctionOutcome], object]] = {}

    def subtask(self, options: DurableOptions, telemetry: LocalTelemetry) -> Subtask:
        """What the invocation shares with none here."""
        executor: Any = self  # has the methods that are used
        return Subtask(
            executor,
            telemetry=telemetry,
            holds=_NoWaits(),
            call_options=_OnlyOutcomes(options, can_gate=True),
            on_mismatch=options.on_mismatch,
        )

    # ---------------------------------------------------------------- the order of things

    def yet_to_end(self) -> list[int]:
        """The slots that ended after the moment, in their order."""
        known = self._moment.slots
        ended = [
            (slot.completion, n)
            for n, slot in enumerate(self._last.slots)
            if slot.completion >= 0 and (n >= len(known) or known[n] != slot)
        ]
        return [n for _, n in sorted(ended)]

    def happen(self, slot: int) -> None:
        """What ended a slot in the recorded run: its time has come, or its call has ended."""
        self._set_clock(slot)
        deliver = self._waiting.pop(slot, None)
        if deliver is not None:
            deliver(self._outcome_of(slot))

    def has_ended(self, slot: int) -> bool:
        """Whether the slot is what it was in the recorded run, as far as is to be seen here."""
        slots = self.journal.slots
        if slot >= len(slots) or slots[slot].completion < 0:
            return False
        return slots[slot][:2] == self._last.slots[slot][:2]

    # ---------------------------------------------------------------- as the calls' executor

    def submit(self, execution: Execution, report: Report) -> None:
        """A call ends in its turn; one that was given up before it began does not begin."""
        assert execution.current is not None
        slot = execution.current.slot
        execution.report_to(report)
        if slot >= len(self._last.slots) or self._last.slots[slot].due != AT_ONCE:
            assert execution.begin()
        self._waiting[slot] = execution.report

    def start_on(
        self, pool: Any, run: Callable[[Any], object], what: Any, refuse: Callable[..., object]
    ) -> None:
        """Runs a ``def`` handler, on this thread."""
        with suppress(NoOutcome):
            run(what)

    def arrivals(self) -> SimpleQueue[Any]:
        return SimpleQueue()

    def run_here(self, execution: Execution) -> FunctionOutcome:
        return execution.run()

    @contextmanager
    def on_closing(self, callback: Callable[[], None]) -> Iterator[None]:
        yield

    # ---------------------------------------------------------------- in place of all functions

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """No function of a call runs, nor any reconciler: the recorded outcome is theirs."""
        with self.clock.installed(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(life, "Execution", self._execution_of)
            for module in (blocking_call, blocking_batch):
                patch.setattr(module, "BlockingWaits", lambda executor: _Waits(self))
            yield

    def _execution_of(self, *args: Any, **kwargs: Any) -> Execution:
        execution = Execution(*args, **kwargs)
        assert execution.current is not None
        slot, slots = execution.current.slot, self._moment.slots
        if slot < len(slots) and slots[slot].completion >= 0 and not self._is_to_end(slot):
            raise MadeAgain(f"the call of slot {slot} is made again, which has an outcome")
        execution.func, execution.args, execution.kwargs = self._give, (slot,), {}
        execution.timeout = None
        return execution

    def _is_to_end(self, slot: int) -> bool:
        return self._moment.slots[slot] != self._last.slots[slot]

    def _give(self, slot: int) -> Any:
        self._set_clock(slot)
        outcome = self._outcome_of(slot)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _outcome_of(self, slot: int) -> FunctionOutcome:
        found = self._last.slots[slot] if slot < len(self._last.slots) else None
        if found is None or found.completion < 0:
            raise NoOutcome
        if found.exception is not None:
            return FunctionOutcome(None, load_exception(found.exception))
        assert found.result is not None
        return FunctionOutcome(load_result(found.result), None)

    # ---------------------------------------------------------------- the clock

    def _meet(self, slot: int) -> None:
        """The handler comes to a slot: what it asks of the clock there is what it saw."""
        slots = self._last.slots
        if slot < len(slots) and slots[slot].kind == SlotKind.MOMENT and not self.has_ended(slot):
            self._set_clock(slot)

    def _set_clock(self, slot: int) -> None:
        at = self._last.slots[slot].ended_at if slot < len(self._last.slots) else None
        if at is not None:
            self.clock.set((at + 0.5) / 1_000_000)


class _Waits(blocking_call.BlockingWaits):
    """The thread of a ``def`` handler waits for what ended next in the recorded run."""

    def __init__(self, world: RecordedWorld) -> None:
        executor: Any = world  # has the methods that are used
        super().__init__(executor)
        self._world = world

    def next(self) -> tuple[int, Any]:
        for slot in self._world.yet_to_end():
            if self._has_come():
                break
            if not self._world.has_ended(slot):
                self._world.happen(slot)
        if not self._has_come():
            raise NoOutcome
        return super().next()

    def _has_come(self) -> bool:
        due = [due / 1000 for due, _ in self._sleeping]
        return not self._arrived.empty() or min(due, default=1e12) <= self._world.clock.time()


class _Slots(SlotsInMemory):
    """A journal that tells which slot the handler comes to."""

    def __init__(self, slots: Sequence[Slot], on_read: Callable[[int], None]) -> None:
        super().__init__(slots)
        self._on_read = on_read

    def getCallResultFieldsAt(self, slot: int) -> list[Any] | None:
        self._on_read(slot)
        return super().getCallResultFieldsAt(slot)


class _NoWaits(Holds):
    """Checkpoint and log are there at once: what a call waits for does not change its path."""

    def expect(self, invocation: int, slot: int) -> Hold:
        hold = Hold()
        hold.released = True
        return hold


class _OnlyOutcomes(OptionsResolver):
    """Of all attempts and questions only the outcome is met again."""

    def resolve(self, *args: Any, **options: Any) -> ResolvedOptions:
        return replace(
            super().resolve(*args, **options), retry=None, timeout=None, in_doubt="execute"
        )


def _start_of(moment: Moment) -> float:
    """When a replay starts: long after the moment, but before a timer would be overdue."""
    due = [slot.due / 1_000 for slot in moment.slots if slot.due is not None and slot.due > 0]
    return min(due) - _HOUR if due else moment.at + _DAYS
