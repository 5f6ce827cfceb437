"""Calls that an ``async def`` handler makes together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any

from pyflink_durable.batch import CallOutcome, CallPool, Outcomes
from pyflink_durable.errors import (
    CallLogError,
    DurableExecutionError,
    JournalMismatch,
    NotInInvocation,
    PayloadNotLoadable,
)
from pyflink_durable.runtime.batches.outcomes import given_up, outcome_of
from pyflink_durable.runtime.batches.planning import plan_batch, reserve
from pyflink_durable.runtime.batches.policy import BatchPolicy
from pyflink_durable.runtime.calls.async_call import AsyncCall, CallLine
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.planning import Plan

_OF_THE_RUNTIME = (CallLogError, JournalMismatch, NotInInvocation, PayloadNotLoadable)
"""What the runtime raises where it could not do its part; never the outcome of a call."""


async def run_batch(
    journal: CallJournal,
    executors: Mapping[CallPool, CallExecutor],
    line: CallLine | None,
    calls: Sequence[Call],
    max_parallelism: int | None,
    timeout: float | None,
) -> Outcomes:
    """Makes calls together; see `RunnerContext.durable_execute_all_async`."""
    if not calls:
        return Outcomes()
    loop = asyncio.get_running_loop()
    if line is None:
        return await AsyncBatch(journal, executors, calls, max_parallelism, loop).run(timeout)
    if timeout is not None:
        raise DurableExecutionError(
            "this journal takes calls one after another, and none behind one that was given up: a "
            "batch over it cannot have a timeout"
        )
    return await gather([AsyncCall(journal, executors, call, loop, line) for call in calls])


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
    await asyncio.gather(*futures, return_exceptions=True)
    return Outcomes(
        _gathered(future, ended.get(place, started) - started)
        for place, future in enumerate(futures)
    )


def _note_end(ended: dict[int, float], place: int, future: asyncio.Future[Any]) -> None:
    ended[place] = time.monotonic()


def _gathered(future: asyncio.Future[Any], seconds: float) -> CallOutcome:
    """The outcome of one that has ended.

    Raises:
        BaseException: It was cancelled, or the runtime could not do its part.
    """
    if future.cancelled():
        raise asyncio.CancelledError
    error = future.exception()
    if error is None:
        outcome = FunctionOutcome(future.result(), None)
    elif not isinstance(error, Exception) or _is_of_the_runtime(future, error):
        raise error
    else:
        outcome = FunctionOutcome(None, error)
    planned = future.planned if isinstance(future, AsyncCall) else None
    return outcome_of(planned, outcome, seconds)


def _is_of_the_runtime(future: asyncio.Future[Any], error: Exception) -> bool:
    if isinstance(future, AsyncCall):
        return future.broken
    return isinstance(error, _OF_THE_RUNTIME)


class AsyncBatch:
    """Drives a batch whose calls have their slots together, on the loop of the handler."""

    def __init__(
        self,
        journal: CallJournal,
        executors: Mapping[CallPool, CallExecutor],
        calls: Sequence[Call],
        limit: int | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._journal = journal
        self._executors = executors
        self._loop = loop
        self._context = copy_context()
        self._planned = plan_batch(journal, calls)
        self._policy = BatchPolicy(len(calls), limit)
        self._calls: dict[int, AsyncCall] = {}
        self._ended = loop.create_future()

    async def run(self, timeout: float | None) -> Outcomes:
        for place, planned in enumerate(self._planned):
            if planned.plan is Plan.REPLAY:
                self._policy.begin_beside(place)
                self._begin(place)
                continue
            self._policy.line_up(place)
            if not self._begin_next():
                reserve(self._journal, planned)
        # on the handlers' loop a durable timer: a replay gives up the same calls
        timer = None if timeout is None else self._loop.call_later(timeout, self._expire)
        try:
            await self._ended
        finally:
            if timer is not None:
                timer.cancel()
            self._give_up()
        return self._policy.outcomes()

    def _begin_next(self) -> bool:
        place = self._policy.next()
        if place is None:
            return False
        self._begin(place)
        return True

    def _begin(self, place: int) -> None:
        planned = self._planned[place]
        call = self._calls[place] = AsyncCall(
            self._journal, self._executors, planned.call, self._loop
        )
        call.begin_planned(planned, self._context)
        call.add_done_callback(lambda call: self._end(place, call))

    def _end(self, place: int, call: Any) -> None:
        if self._ended.done():
            return
        if call.cancelled():
            self._ended.cancel()
            return
        planned, error = self._planned[place], call.exception()
        if error is not None and (call.broken or not isinstance(error, Exception)):
            self._ended.set_exception(error)
            return
        outcome = FunctionOutcome(None if error is not None else call.result(), error)
        policy = self._policy
        policy.end(place, outcome_of(planned, outcome, policy.seconds(place)))
        while self._begin_next():
            """As many as there is room for."""
        if policy.is_over:
            self._ended.set_result(None)

    def _expire(self) -> None:
        """The time is over: what has not ended is given up."""
        if self._ended.done():
            return
        self._give_up()
        self._policy.expire(lambda place, seconds: given_up(self._planned[place], seconds))
        self._ended.set_result(None)

    def _give_up(self) -> None:
        """From behind: each that has not started may make room for the next in a line."""
        for call in reversed(self._calls.values()):
            call.cancel()
