"""Calls that a ``def`` handler makes together; its thread waits for them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from pyflink_durable.batch import CallOutcome, CallPool, Outcomes
from pyflink_durable.runtime.batch_outcomes import given_up, not_started, outcome_of
from pyflink_durable.runtime.batch_planning import plan_batch, reserve
from pyflink_durable.runtime.blocking_call import BlockingWaits, run_on_the_loop
from pyflink_durable.runtime.bridge import BATCH_TIMER, PENDING, completion_of, due_of
from pyflink_durable.runtime.call_life import InTurn, Life, live
from pyflink_durable.runtime.calls import Call, CallJournal, PlannedCall, completion_order
from pyflink_durable.runtime.executors import CallExecutor
from pyflink_durable.runtime.outcome import Outcome
from pyflink_durable.runtime.payload import dump_result
from pyflink_durable.runtime.planning import Plan

_TIME_IS_OVER = -2  # in place of the number of a life


def run_each_on_the_loop(journal: CallJournal, calls: Sequence[Call], announced: bool) -> Outcomes:
    """Makes ordinary functions one after another where nothing can be waited for."""
    outcomes = Outcomes()
    for call in calls:
        planned = journal.plan(call)
        started = time.monotonic()
        outcome = run_on_the_loop(live(journal, planned, announced))
        outcomes.append(_told(planned, outcome, started))
    return outcomes


def run_batch_blocking(
    journal: CallJournal,
    calls: Sequence[Call],
    executors: Mapping[CallPool, CallExecutor],
    max_parallelism: int | None,
    timeout: float | None,
) -> Outcomes:
    """Makes calls together; see `RunnerContext.durable_execute_all`."""
    if not calls:
        return Outcomes()
    batch = _BlockingBatch(journal, calls, executors, max_parallelism or len(calls))
    return batch.run(timeout)


class _BlockingBatch:
    def __init__(
        self,
        journal: CallJournal,
        calls: Sequence[Call],
        executors: Mapping[CallPool, CallExecutor],
        limit: int,
    ) -> None:
        self._journal = journal
        self._executors = executors
        self._limit = limit
        self._planned = plan_batch(journal, calls)
        self._lives: dict[int, Life] = {}
        self._started_at: dict[int, float] = {}
        self._outcomes: dict[int, CallOutcome] = {}
        self._in_line: deque[int] = deque()
        self._running = 0
        self._waits = BlockingWaits()

    def run(self, timeout: float | None) -> Outcomes:
        over = False
        with self._executors["calls"].on_closing(self._waits.end):
            for place, planned in enumerate(self._planned):
                if planned.plan is Plan.EXECUTE:
                    # all have their place before the first one starts
                    self._planned[place] = reserve(self._journal, planned)
            timer = None if timeout is None else self._start_timer(timeout)
            over = timer is not None and self._replay_timer(timer)
            if not over:
                self._in_line.extend(range(len(self._planned)))
                self._begin_some()
            while not over and len(self._outcomes) < len(self._planned):
                place, sent = self._waits.next()
                over = place == _TIME_IS_OVER
                if not over:
                    self._advance(place, sent)
                    self._begin_some()
            if over:
                self._give_up(timer)
        return Outcomes(self._outcomes[place] for place in range(len(self._planned)))

    # ---------------------------------------------------------------- calls

    def _begin_some(self) -> None:
        while self._in_line and self._running < self._limit:
            self._begin(self._in_line.popleft())

    def _begin(self, place: int) -> None:
        self._lives[place] = live(self._journal, self._planned[place])
        self._started_at[place] = time.monotonic()
        self._running += 1
        self._advance(place, None)

    def _advance(self, place: int, sent: Any) -> None:
        """Lets a life go on until it has to be waited for, or has ended."""
        life = self._lives[place]
        planned = self._planned[place]
        try:
            step = life.send(sent)
            while isinstance(step, InTurn):
                step = life.send(None)
        except StopIteration as end:
            self._running -= 1
            self._outcomes[place] = _told(planned, end.value, self._started_at[place])
        except Exception as error:
            self._running -= 1
            outcome = Outcome(None, error)
            self._outcomes[place] = _told(planned, outcome, self._started_at[place])
        else:
            self._waits.start(place, step, self._executors[planned.call.pool])

    # ---------------------------------------------------------------- the time for all of them

    def _start_timer(self, timeout: float) -> tuple[int, int | None]:
        """Starts the time, or goes on with it: its slot, and its completion if it is over."""
        slot, found = self._journal.take_slot(BATCH_TIMER)
        if found is not None and found[2] != PENDING:
            self._journal.access.replayed(slot, BATCH_TIMER)
            return slot, completion_of(found)
        due = None if found is None else due_of(found)
        if due is None:
            due = int((time.time() + timeout) * 1000)
            self._journal.access.schedule(slot, BATCH_TIMER, 1, due)
        self._waits.sleep(_TIME_IS_OVER, due)
        return slot, None

    def _replay_timer(self, timer: tuple[int, int | None]) -> bool:
        """Whether the time was over before; then what had ended by then is replayed."""
        _, completion = timer
        if completion is None:
            return False
        for place, planned in enumerate(self._planned):
            if planned.plan is Plan.REPLAY and completion_order(planned) < completion:
                self._begin(place)
        return True

    def _give_up(self, timer: tuple[int, int | None] | None) -> None:
        now = time.monotonic()
        for place, planned in enumerate(self._planned):
            if place in self._outcomes:
                continue
            reserved = planned.plan is Plan.RESUME and place not in self._lives
            started = self._started_at.get(place, now)
            self._outcomes[place] = not_started() if reserved else given_up(planned, now - started)
        if timer is not None and timer[1] is None:
            slot = timer[0]
            self._journal.access.finalize(slot, BATCH_TIMER, dump_result(None), None)


def _told(planned: PlannedCall, outcome: Outcome, started: float) -> CallOutcome:
    error = outcome.error
    if error is not None and not isinstance(error, Exception):
        raise error  # cancellation, interrupt, shutdown
    return outcome_of(planned, outcome, time.monotonic() - started)
