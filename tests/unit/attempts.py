"""Attempts of a handler: crashed anywhere, and run again on what their journal kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest
from bridges import (
    ATTEMPT_METHODS,
    CURSOR_METHODS,
    SLOT_METHODS,
    OneInvocation,
    Recording,
    SixMethods,
    Slot,
    SlotsInMemory,
    slot_journal,
)
from loops import Clock, Operator
from random_handlers import Outside, answered, interpret, interpret_plainly
from random_programs import Call, calls_of, ranks_of_timers, seconds_of

from pyflink_durable.payload.results import load_exception, load_result, pass_error
from pyflink_durable.runtime.batches import blocking_batch
from pyflink_durable.runtime.execution.execution import Execution, Report
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.journal.access import JournalAccess, SlotJournal
from pyflink_durable.runtime.journal.writes import JournalWrites
from pyflink_durable.runtime.loop import loop as loop_module
from pyflink_durable.runtime.loop import wake_ups
from pyflink_durable.runtime.loop.invocation_tasks import InvocationTasks, invocation_tasks
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

WRITES = {"appendPendingCall", "finalizeCurrentCall", "recordCallCompletion"}
WRITES |= {SLOT_METHODS[name] for name in WRITES} | {*ATTEMPT_METHODS}


CLOCK = Clock()
"""Stands still: a timer fires when its rank has come."""


@contextmanager
def stopped_clock() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (loop_module, wake_ups, times):
            patch.setattr(module, "time", CLOCK)
        yield


class Crash(Exception):
    """The task is gone; nothing that the handler does from here on counts."""


@dataclass
class Attempt:
    """One run of the handler over a surviving journal.

    Args:
        survived: The journal it starts from.
        crash_after: After how many bridge operations and completions it crashes, if at all.
    """

    survived: tuple[Slot, ...]
    crash_after: int | None = None
    events: int = 0
    crashed: bool = False
    kept: list[tuple[Slot, ...]] = field(default_factory=list)
    output: Any = None
    waiting: list[tuple[tuple[int, int], Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outside = Outside(self.happened, lambda: self.crashed)
        self.telemetry = LocalTelemetry()
        self.kept.append(self.survived)

    def happened(self) -> None:
        """Something happened, after which the task may crash."""
        self.events += 1
        self.crashed |= self.events == self.crash_after
        if self.crashed:
            raise Crash

    def after_operation(self, journal: Any, name: str) -> None:
        if not self.crashed and name in WRITES:
            self.kept.append(tuple(journal.slots))
        self.happened()

    # ---------------------------------------------------------------- as the calls' executor

    def submit(self, execution: Execution, report: Report) -> None:
        execution.report_to(report)
        assert execution.begin()

        def complete() -> None:
            outcome = execution.run()
            if not self.crashed:
                execution.report(outcome)

        self.waiting.append((self.outside.ranks[execution.func], complete))

    def complete_next(self) -> None:
        """The call with the lowest rank ends; this order is the outside's own."""
        self.waiting.sort(key=lambda item: item[0])
        self.waiting.pop(0)[1]()

    def take_timers(self, loop: DurableLoop, ranks: dict[int, tuple[int, int]]) -> None:
        """Has the loop's timers wait for their ranks, among the calls."""
        timers, loop._wake_ups.timers = loop._wake_ups.timers, []
        for timer in timers:

            def fire(timer: Any = timer) -> None:
                with suppress(Crash):
                    self.happened()
                    if not timer[3].cancelled():
                        loop._wake_ups.timers.append((0.0, *timer[1:]))

            number = round((timer[0] - CLOCK.monotonic()) / seconds_of(1))
            self.waiting.append((ranks[number], fire))

    # ---------------------------------------------------------------- runs

    def run_on_loop(self, program: Any) -> None:
        """Over slots, on the handlers' loop, with calls side by side."""
        with suppress(Crash):
            self._drive(program, self._slots(), lambda: None)

    def _slots(self) -> SlotJournal:
        journal = SlotsInMemory(self.survived)
        bridge = Recording(
            journal,
            (*SLOT_METHODS.values(), *ATTEMPT_METHODS),
            lambda name: self.after_operation(journal, name),
        )
        return slot_journal(bridge, len(self.survived))

    def _context(self, access: Any) -> FlinkRunnerContext:
        return FlinkRunnerContext(access, subtask=Subtask(self, telemetry=self.telemetry))  # type: ignore[arg-type]

    def run_in_steps(self, program: Any) -> None:
        """As in the operator: what a step writes is applied when it ends, or lost with it."""
        journal, writes = SlotsInMemory(self.survived), JournalWrites()

        bridge = OneInvocation(journal)

        def end_step() -> None:
            bridge.applyJournalWrites(*writes.take())
            if not self.crashed:
                self.kept.append(tuple(journal.slots))

        access = SlotJournal(bridge, 7, size=len(self.survived), write=writes.add)
        self._drive(program, access, end_step)

    def _drive(self, program: Any, access: JournalAccess, end_step: Callable[[], None]) -> None:
        operator = Operator()
        context = self._context(access)
        task = operator.start(self._handle(program, context))
        ranks = ranks_of_timers(program)
        end_step()
        self.take_timers(operator.loop, ranks)
        # calls that the handler gave up run to their end, too
        while not self.crashed and (self.waiting or not task.done()):
            self.complete_next()
            operator.loop.drain()
            end_step()
            self.take_timers(operator.loop, ranks)
        operator.loop.close()

    def run_in_sequence(self, program: Any) -> None:
        """Over the six methods, under `asyncio.run`, one call after another."""
        journal = SixMethods(self.survived)
        bridge = Recording(
            journal, CURSOR_METHODS, lambda name: self.after_operation(journal._journal, name)
        )
        context = self._context(bridge)

        async def main() -> None:
            task = asyncio.create_task(self._handle(program, context))
            while not (self.crashed or task.done()):
                await asyncio.sleep(0)
                if self.waiting:
                    self.complete_next()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())

    def run_in_thread(self, program: Any) -> None:
        """As a ``def`` handler, whose thread waits; here it has the outside end a call then."""
        attempt = self

        class Waits(blocking_batch.BlockingWaits):
            def next(self) -> tuple[int, Any]:
                attempt.complete_next()
                if attempt.crashed:
                    raise Crash
                return super().next()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocking_batch, "BlockingWaits", Waits)
            try:
                context = self._context(self._slots())
                self.output = interpret_plainly(program, context, self.outside)
            except ValueError as error:
                self.output = f"failed with {error!r}"
            except Crash:
                pass

    def arrivals(self) -> SimpleQueue[Any]:
        return SimpleQueue()

    def run_here(self, execution: Execution) -> FunctionOutcome:
        return execution.run()

    @contextmanager
    def on_closing(self, callback: Callable[[], None]) -> Iterator[None]:
        """No attempt is closed in order."""
        yield

    async def _handle(self, program: Any, context: FlinkRunnerContext) -> None:
        invocation_tasks.set(InvocationTasks(7, context))
        try:
            self.output = await interpret(program, context, self.outside)
        except ValueError as error:
            self.output = f"failed with {error!r}"
        except Crash:
            pass


def by_slot(journal: tuple[Slot, ...]) -> dict[int, int]:
    """Which call answered each terminal slot."""
    return {
        number: answered(
            load_result(slot.result) if slot.result is not None else load_exception(slot.exception)  # type: ignore[arg-type]
        )
        for number, slot in enumerate(journal)
        if slot.status != "PENDING" and slot.kind == "CALL"
    }


Runner = Callable[[Attempt, Any], None]


def check_recovery(attempt: Attempt, reference: Attempt, calls: dict[int, Call]) -> None:
    """What holds for every attempt, crashed or not."""
    order, outside = reference.outside.started, attempt.outside
    survived = by_slot(attempt.survived)
    assert outside.started == order[: len(outside.started)]
    # no slot is shared by two calls, and each answers its own
    assert by_slot(attempt.kept[-1]) == {slot: order[slot] for slot in by_slot(attempt.kept[-1])}
    # no call with a terminal slot runs again, nor is anybody asked about it
    assert not set(survived.values()) & {*outside.ran, *outside.looked_up}
    assert len(outside.ran) == len(set(outside.ran))
    # who is in doubt is reconciled, once; nobody else is
    in_doubt = {
        order[slot]
        for slot in range(len(attempt.survived))
        if slot not in survived
        and attempt.survived[slot].due is None
        and order[slot] in calls
        and calls[order[slot]].reconciler != "none"
    }
    assert len(outside.looked_up) == len(set(outside.looked_up))
    assert set(outside.looked_up) <= in_doubt
    assert not {n for n in in_doubt if calls[n].reconciler == "looks up"} & set(outside.ran)
    if not attempt.crashed:
        # but for those that the handler gives up again
        assert set(outside.looked_up) <= set(outside.started)
        assert in_doubt & set(outside.started) - outside.given_up <= set(outside.looked_up)
    assert attempt.telemetry.counters["mismatched"] == 0


def check(
    program: Any, crashes: list[tuple[int, int]], run: Callable[[Attempt, Any], None]
) -> None:
    calls = {call.number: call for call in calls_of(program)}
    reference = Attempt(())
    run(reference, program)
    check_recovery(reference, reference, calls)
    survived: tuple[Slot, ...] = ()
    for place, lag in [*crashes, (None, 0)]:
        attempt = Attempt(survived, None if place is None else 1 + place % max(1, reference.events))
        run(attempt, program)
        check_recovery(attempt, reference, calls)
        if not attempt.crashed:
            break
        # the newest checkpoint may be older than the crash
        survived = attempt.kept[max(0, len(attempt.kept) - 1 - lag)]
    assert not attempt.crashed
    assert attempt.output == reference.output
    assert lives_of(attempt) == lives_of(reference)


def lives_of(attempt: Attempt) -> list[Slot]:
    """The journal in the end, but for what a crash may change."""
    lives = [slot._replace(attempt=1, ended_at=None, began=None) for slot in attempt.kept[-1]]
    return [
        slot._replace(result=None) if slot.kind == "MOMENT" else slot
        for slot in map(without_traceback, lives)
    ]


def without_traceback(slot: Slot) -> Slot:
    """A reconciler raises the same as the call, elsewhere."""
    if slot.exception is None:
        return slot
    error = load_exception(slot.exception).with_traceback(None)
    return slot._replace(exception=pass_error(error)[1])
