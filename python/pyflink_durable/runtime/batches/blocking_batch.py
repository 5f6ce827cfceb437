"""Calls that are made together where a thread waits for them."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop
from collections.abc import Mapping, Sequence
from typing import Any

from pyflink_durable.batch import CallOutcome, CallPool, Outcomes
from pyflink_durable.errors import CallLogError, DurableExecutionError
from pyflink_durable.runtime.batches.outcomes import given_up, outcome_of
from pyflink_durable.runtime.batches.planning import plan_batch, reserve
from pyflink_durable.runtime.batches.policy import BatchPolicy
from pyflink_durable.runtime.batches.timer import BatchTimer
from pyflink_durable.runtime.calls.blocking_call import (
    BlockingWaits,
    check_ordinary,
    may_be_interrupted,
    run_holding_the_loop,
)
from pyflink_durable.runtime.calls.life import Life, give_up, live
from pyflink_durable.runtime.calls.steps import WaitForTurn
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call import Call, PlannedCall
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.call_options import without_waiting
from pyflink_durable.runtime.journal.planning import Plan

_TIMER = -2  # in place of the number of a life


def run_batch_holding_the_loop(
    journal: CallJournal, calls: Sequence[Call], timeout: float | None, loop: AbstractEventLoop
) -> Outcomes:
    """Makes ordinary functions one after another in an ``async def`` handler, and holds its loop.

    Args:
        journal: The invocation's journal.
        calls: The calls.
        timeout: Refused: nothing can interrupt them.
        loop: The handler's.
    """
    if timeout is not None:
        raise DurableExecutionError(
            "ctx.durable_execute_all with a timeout cannot be given up in an `async def` handler: "
            "use `await ctx.durable_execute_all_async(...)`"
        )
    for call in calls:
        check_ordinary(call.func, call.reconciler)
        call.options = without_waiting(call.options, call.func, None, None)
    if journal.access.concurrent:
        planned_calls = iter(plan_batch(journal, calls))
    else:  # a slot is known once the call before it has ended
        planned_calls = (journal.plan(call) for call in calls)
    return Outcomes(_make_here(journal, planned, loop) for planned in planned_calls)


def _make_here(journal: CallJournal, planned: PlannedCall, loop: AbstractEventLoop) -> CallOutcome:
    started = time.monotonic()
    life = live(journal, planned, announced=may_be_interrupted(loop))
    outcome = run_holding_the_loop(life, loop)
    return _told(planned, outcome, time.monotonic() - started)


def run_batch_blocking(
    journal: CallJournal,
    calls: Sequence[Call],
    executors: Mapping[CallPool, CallExecutor],
    max_parallelism: int | None,
    timeout: float | None,
) -> Outcomes:
    """Makes calls together; the thread of a ``def`` handler waits for them."""
    if not calls:
        return Outcomes()
    return BlockingBatch(journal, calls, executors, max_parallelism).run(timeout)


class BlockingBatch:
    """Drives a batch on the thread of a ``def`` handler."""

    def __init__(
        self,
        journal: CallJournal,
        calls: Sequence[Call],
        executors: Mapping[CallPool, CallExecutor],
        limit: int | None,
    ) -> None:
        self._journal = journal
        self._executors = executors
        # a snapshot may be taken at any time: all have their place before the first one starts
        self._planned = plan_batch(journal, calls)
        for planned in self._planned:
            reserve(journal, planned)
        self._lives: dict[int, Life] = {}
        self._policy = BatchPolicy(len(calls), limit)
        self._waits = BlockingWaits(executors["calls"])

    def run(self, timeout: float | None) -> Outcomes:
        timer = None if timeout is None else BatchTimer(self._journal, timeout)
        with self._executors["calls"].on_closing(self._waits.end):
            if timer is not None and timer.is_over:
                self._replay_until(timer)
            else:
                self._run_until(timer)
        return self._policy.outcomes()

    def _run_until(self, timer: BatchTimer | None) -> None:
        if timer is not None:
            self._waits.sleep(_TIMER, timer.due)
        for place in range(len(self._planned)):
            self._policy.line_up(place)
        self._begin_some()
        while not self._policy.is_over:
            place, sent = self._waits.next()
            if place == _TIMER:
                assert timer is not None
                self._give_up(timer)
            else:
                self._advance(place, sent)
                self._begin_some()

    def _replay_until(self, timer: BatchTimer) -> None:
        for place, planned in enumerate(self._planned):
            if planned.plan is Plan.REPLAY and timer.covers(planned):
                self._policy.begin_beside(place)
                self._begin(place)
        self._give_up(timer)

    # ---------------------------------------------------------------- calls

    def _begin_some(self) -> None:
        while (place := self._policy.next()) is not None:
            self._begin(place)

    def _begin(self, place: int) -> None:
        self._lives[place] = live(self._journal, self._planned[place])
        self._advance(place, None)

    def _advance(self, place: int, sent: Any) -> None:
        """Lets a life go on until it has to be waited for, or has ended."""
        life, planned = self._lives[place], self._planned[place]
        try:
            step = life.send(sent)
            while isinstance(step, WaitForTurn):
                step = life.send(None)
        except StopIteration as end:
            del self._lives[place]
            seconds = self._policy.seconds(place)
            self._policy.end(place, _told(planned, end.value, seconds))
        else:
            self._waits.start(place, step, self._executors[planned.call.pool])

    # ---------------------------------------------------------------- the time for all of them

    def _give_up(self, timer: BatchTimer) -> None:
        """The time is over; no life goes on from here, so what they still do is not journaled."""
        for life in reversed(self._lives.values()):  # the last first, as `AsyncBatch` does
            give_up(life)
        hold = timer.fire(self._planned[0].call.options.outcome_hold)
        self._policy.expire(lambda place, seconds: given_up(self._planned[place], seconds))
        if hold is not None:
            hold.on_release(lambda error: self._waits.arrive(_TIMER, error))
            self._wait_until_safe()

    def _wait_until_safe(self) -> None:
        place, error = self._waits.next()
        while place != _TIMER:  # an outcome that nobody waits for any more
            place, error = self._waits.next()
        if error is not None:
            failure = CallLogError(f"that the time of a batch is over is not safe: {error}")
            self._journal.break_off(failure)
            raise failure


def _told(planned: PlannedCall, outcome: FunctionOutcome, seconds: float) -> CallOutcome:
    error = outcome.error
    if error is not None and not isinstance(error, Exception):
        raise error  # cancellation, interrupt, shutdown
    return outcome_of(planned, outcome, seconds)
