"""Runs a batch where there is no journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pyflink_durable.batch import CallOutcome, CallStatus, DurableCall, Outcomes, check_batch
from pyflink_durable.checks.arguments import without_infinity
from pyflink_durable.current_call import CurrentCall
from pyflink_durable.errors import CallNotStarted, OutcomeUnknown
from pyflink_durable.runtime.batches.policy import BatchPolicy
from pyflink_durable.testing.plain_call import PlainCall

Number = Callable[[str | None], CurrentCall]
"""Gives a call its number, and all else that its function may ask about it."""


async def run_all(
    calls: Iterable[DurableCall],
    number: Number,
    max_parallelism: int | None = None,
    timeout: float | None = None,
) -> Outcomes:
    """Runs coroutine functions together and ordinary functions here, one after another.

    Args:
        calls: The batch.
        number: Gives each call what its function may ask about it.
        max_parallelism: How many run at a time.
        timeout: Seconds for the whole batch. A function that runs here cannot be interrupted; the
            calls behind it do not start.
    """
    plain = _plain(check_batch(calls, max_parallelism, timeout), number)
    return await PlainBatch(plain, max_parallelism, without_infinity(timeout)).run()


def run_each(
    calls: Iterable[DurableCall], number: Number, timeout: float | None = None
) -> Outcomes:
    """Runs ordinary functions here, one after another; see `run_all`."""
    plain = _plain(check_batch(calls, timeout=timeout), number)
    end = None if timeout is None else time.monotonic() + timeout
    policy = BatchPolicy(len(plain), limit=1)
    for place in range(len(plain)):
        policy.line_up(place)
    while not policy.is_over:
        if end is not None and time.monotonic() >= end:
            policy.expire(lambda place, seconds: _not_started())
            break
        up = policy.next()
        assert up is not None
        try:
            policy.end(up, _succeeded(plain[up].run_ordinary(), policy.seconds(up)))
        except Exception as error:
            policy.end(up, _failed(error, policy.seconds(up)))
    return policy.outcomes()


async def gather(awaitables: Iterable[Awaitable[Any]]) -> Outcomes:
    """Awaits all, and gives the outcome of each in order; a failure hides no other outcome."""
    tasks = [asyncio.ensure_future(_outcome_of(awaitable)) for awaitable in awaitables]
    try:
        return Outcomes([await task for task in tasks])
    finally:
        for task in tasks:
            task.cancel()


async def _outcome_of(awaitable: Awaitable[Any]) -> CallOutcome:
    started = time.monotonic()
    try:
        value = await awaitable
    except Exception as error:
        return _failed(error, time.monotonic() - started)
    return _succeeded(value, time.monotonic() - started)


class PlainBatch:
    """Drives a batch on a standard event loop, each call in a task of its own.

    Args:
        calls: The calls.
        limit: How many run at a time; None for all.
        timeout: Seconds for all of them.
    """

    def __init__(self, calls: list[PlainCall], limit: int | None, timeout: float | None) -> None:
        self._calls = calls
        self._policy = BatchPolicy(len(calls), limit)
        self._end = None if timeout is None else time.monotonic() + timeout
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> Outcomes:
        """Runs it to its end."""
        for place in range(len(self._calls)):
            self._policy.line_up(place)
        try:
            while not self._policy.is_over:
                self._begin_some()
                await self._wait_for_some()
        finally:
            for task in self._tasks:
                task.cancel()
        return self._policy.outcomes()

    def _begin_some(self) -> None:
        while (place := self._policy.next()) is not None:
            self._tasks.add(asyncio.ensure_future(self._run(place)))

    async def _wait_for_some(self) -> None:
        left = None if self._end is None else max(0.0, self._end - time.monotonic())
        first = asyncio.FIRST_COMPLETED
        done, self._tasks = await asyncio.wait(self._tasks, timeout=left, return_when=first)
        for task in done:
            task.result()
        if self._has_no_time() and not self._policy.is_over:
            self._policy.expire(self._given_up)

    def _given_up(self, place: int, seconds: float) -> CallOutcome:
        return _timed_out(place, seconds) if self._policy.has_begun(place) else _not_started()

    async def _run(self, place: int) -> None:
        policy = self._policy
        if self._has_no_time():  # a function that ran here before has taken it
            policy.end(place, _not_started())
            return
        try:
            value = await self._calls[place].run_async()
        except Exception as error:
            policy.end(place, _failed(error, policy.seconds(place)))
        else:
            policy.end(place, _succeeded(value, policy.seconds(place)))

    def _has_no_time(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


def _plain(calls: Iterable[DurableCall], number: Number) -> list[PlainCall]:
    return [
        PlainCall(
            call.func,
            call.args,
            call.keywords,
            number(call.durable_id),
            call.timeout,
            call.retry,
        )
        for call in calls
    ]


def _succeeded(value: Any, seconds: float) -> CallOutcome:
    return CallOutcome(value, duration=seconds)


def _failed(error: Exception, seconds: float) -> CallOutcome:
    expired = isinstance(error, OutcomeUnknown) and error.reason == "timeout"
    status = CallStatus.TIMED_OUT if expired else CallStatus.FAILED
    return CallOutcome(error=error, status=status, duration=seconds)


def _timed_out(place: int, seconds: float) -> CallOutcome:
    error = TimeoutError(f"call {place} still ran when the time of its batch was over")
    return CallOutcome(error=error, status=CallStatus.TIMED_OUT, duration=seconds)


def _not_started() -> CallOutcome:
    error = CallNotStarted("the timeout of the batch came before this call had started")
    return CallOutcome(error=error, status=CallStatus.NOT_STARTED, attempt=0)
