"""Calls that an ``async def`` handler makes together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from pyflink_durable.batch import CallOutcome, Outcomes
from pyflink_durable.runtime.async_call import AsyncCall, CallStarter
from pyflink_durable.runtime.batch_outcomes import given_up, not_started, outcome_of
from pyflink_durable.runtime.batch_planning import plan_batch, reserve
from pyflink_durable.runtime.calls import Call, PlannedCall
from pyflink_durable.runtime.outcome import Outcome
from pyflink_durable.runtime.planning import Plan


async def run_batch(
    starter: CallStarter,
    calls: Sequence[Call],
    max_parallelism: int | None,
    timeout: float | None,
) -> Outcomes:
    """Makes calls together; see `RunnerContext.durable_execute_all_async`."""
    if not calls:
        return Outcomes()
    loop = asyncio.get_running_loop()
    if not starter.journal.access.concurrent:  # its calls are made one after another anyway
        return await gather([AsyncCall(starter, call, loop) for call in calls])
    return await _Batch(starter, calls, max_parallelism or len(calls), loop).run(timeout)


async def gather(awaitables: Sequence[Awaitable[Any]]) -> Outcomes:
    """Awaits all, and gives the outcome of each; see `RunnerContext.gather`."""
    loop = asyncio.get_running_loop()
    started = time.monotonic()
    futures = []
    for awaitable in awaitables:
        if isinstance(awaitable, AsyncCall):
            awaitable.track()
        futures.append(asyncio.ensure_future(awaitable, loop=loop))
    ended: dict[int, float] = {}
    for place, future in enumerate(futures):
        future.add_done_callback(partial(_note_end, ended, place))
    results = await asyncio.gather(*futures, return_exceptions=True)
    outcomes = Outcomes()
    for place, (future, result) in enumerate(zip(futures, results, strict=True)):
        failed = future.cancelled() or future.exception() is not None
        if failed and not isinstance(result, Exception):
            raise result  # a cancellation, or the end of the task
        outcome = Outcome(None, result) if failed else Outcome(result, None)
        planned = future.planned if isinstance(future, AsyncCall) else None
        seconds = ended.get(place, started) - started
        outcomes.append(outcome_of(planned, outcome, seconds))
    return outcomes


def _note_end(ended: dict[int, float], place: int, future: asyncio.Future[Any]) -> None:
    ended[place] = time.monotonic()


class _Batch:
    """Calls that have their slots together, and of which so many run at a time."""

    def __init__(
        self,
        starter: CallStarter,
        calls: Sequence[Call],
        limit: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._starter = starter
        self._limit = limit
        self._loop = loop
        self._planned = plan_batch(starter.journal, calls)
        self._runs: dict[int, AsyncCall] = {}
        self._started_at: dict[int, float] = {}
        self._outcomes: dict[int, CallOutcome] = {}
        self._in_line: deque[int] = deque()
        self._running = 0
        self._interrupted: BaseException | None = None
        self._ended = loop.create_future()

    async def run(self, timeout: float | None) -> Outcomes:
        for place, planned in enumerate(self._planned):
            if planned.plan is Plan.REPLAY or self._running < self._limit:
                self._begin(place, planned)
            else:
                if planned.plan is Plan.EXECUTE:
                    self._planned[place] = reserve(self._starter.journal, planned)
                self._in_line.append(place)
        # on the handlers' loop a durable timer: a replay gives up the same calls
        timer = None if timeout is None else self._loop.call_later(timeout, self._expire)
        try:
            await self._ended
        finally:
            if timer is not None:
                timer.cancel()
            for run in self._runs.values():
                run.cancel()
        if self._interrupted is not None:
            raise self._interrupted
        return Outcomes(self._outcomes[place] for place in range(len(self._planned)))

    def _begin(self, place: int, planned: PlannedCall) -> None:
        run = self._runs[place] = AsyncCall(self._starter, planned.call, self._loop)
        self._started_at[place] = time.monotonic()
        if planned.plan is not Plan.REPLAY:
            self._running += 1
        run.begin_planned(planned)
        run.add_done_callback(lambda run: self._end(place, run))

    def _end(self, place: int, run: asyncio.Future[Any]) -> None:
        if self._ended.done():
            return
        planned = self._planned[place]
        error = asyncio.CancelledError() if run.cancelled() else run.exception()
        if error is not None and not isinstance(error, Exception):
            self._interrupted = error
            self._ended.set_result(None)
            return
        seconds = time.monotonic() - self._started_at[place]
        outcome = Outcome(None, error) if error is not None else Outcome(run.result(), None)
        self._outcomes[place] = outcome_of(planned, outcome, seconds)
        if planned.plan is not Plan.REPLAY:
            self._running -= 1
        while self._in_line and self._running < self._limit:
            following = self._in_line.popleft()
            self._begin(following, self._planned[following])
        if len(self._outcomes) == len(self._planned):
            self._ended.set_result(None)

    def _expire(self) -> None:
        if self._ended.done():
            return
        now = time.monotonic()
        for place, planned in enumerate(self._planned):
            if place in self._outcomes:
                continue
            if place in self._runs:
                self._outcomes[place] = given_up(planned, now - self._started_at[place])
            else:
                self._outcomes[place] = not_started()
        self._ended.set_result(None)
