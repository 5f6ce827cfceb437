"""Runs a batch where there is no journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context
from inspect import isawaitable, iscoroutine
from typing import Any

from pyflink_durable.batch import CallOutcome, CallStatus, DurableCall, Outcomes, check_batch
from pyflink_durable.current_call import CurrentCall, call_inside, running_call
from pyflink_durable.errors import CallNotStarted

Number = Callable[[str | None], CurrentCall]
"""Gives a call its number, and all else that its function may ask about it."""


async def run_all_plainly(
    calls: Iterable[DurableCall],
    number: Number,
    max_parallelism: int | None = None,
    timeout: float | None = None,
) -> Outcomes:
    """Runs coroutine functions together and ordinary functions here, one after another.

    Reconcilers, retries and levels are ignored: nothing fails over without a journal.

    Args:
        calls: The batch.
        number: Gives each call what its function may ask about it.
        max_parallelism: How many run at a time.
        timeout: Seconds for the whole batch. A function that runs here cannot be interrupted; the
            calls behind it do not start.
    """
    batch = check_batch(calls, max_parallelism, timeout)
    limit = asyncio.Semaphore(max_parallelism or max(1, len(batch)))
    end = _end_of(timeout)
    tasks = [
        asyncio.create_task(_run_within(call, number(call.durable_id), limit, end))
        for call in batch
    ]
    try:
        return Outcomes([await task for task in tasks])
    finally:
        for task in tasks:
            task.cancel()


def run_each_plainly(
    calls: Iterable[DurableCall], number: Number, timeout: float | None = None
) -> Outcomes:
    """Runs ordinary functions here, one after another; see `run_all_plainly`."""
    end = _end_of(timeout)
    numbered = [(call, number(call.durable_id)) for call in check_batch(calls, timeout=timeout)]
    return Outcomes(
        _not_started() if time.monotonic() >= end else _run_here(call, current)
        for call, current in numbered
    )


async def gather_plainly(awaitables: Iterable[Awaitable[Any]]) -> Outcomes:
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
    return CallOutcome(value, duration=time.monotonic() - started)


async def _run_within(
    call: DurableCall, current: CurrentCall, limit: asyncio.Semaphore, end: float
) -> CallOutcome:
    running_call.set(current)  # a task has a context of its own
    try:
        await asyncio.wait_for(limit.acquire(), _left(end))
    except asyncio.TimeoutError:
        return _not_started()
    try:
        return _not_started() if time.monotonic() >= end else await _run(call, end)
    finally:
        limit.release()


async def _run(call: DurableCall, end: float) -> CallOutcome:
    started = time.monotonic()
    running = asyncio.ensure_future(_await(call))
    try:
        # not `wait_for`, whose TimeoutError could as well be the function's own
        await asyncio.wait({running}, timeout=min(_left(end), call.timeout or _FOREVER))
        duration = time.monotonic() - started
        if not running.done():
            return _timed_out(duration)
        return CallOutcome(running.result(), duration=duration)
    except Exception as error:
        return _failed(error, time.monotonic() - started)
    finally:
        running.cancel()


async def _await(call: DurableCall) -> Any:
    result = call.func(*call.args, **call.keywords)
    return await result if isawaitable(result) else result


def _run_here(call: DurableCall, current: CurrentCall) -> CallOutcome:
    started = time.monotonic()
    try:
        value = copy_context().run(call_inside, current, call.func, call.args, call.keywords)
        if isawaitable(value):
            raise _not_ordinary(value)
    except Exception as error:
        return _failed(error, time.monotonic() - started)
    return CallOutcome(value, duration=time.monotonic() - started)


def _not_ordinary(value: Any) -> TypeError:
    if iscoroutine(value):
        value.close()
    return TypeError(
        "ctx.durable_execute_all takes ordinary functions; a coroutine function needs "
        "`await ctx.durable_execute_all_async(...)` in an `async def` handler"
    )


_FOREVER = 1e9


def _end_of(timeout: float | None) -> float:
    return time.monotonic() + min(timeout or _FOREVER, _FOREVER)


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())


def _failed(error: Exception, duration: float) -> CallOutcome:
    return CallOutcome(error=error, status=CallStatus.FAILED, duration=duration)


def _timed_out(duration: float) -> CallOutcome:
    error = TimeoutError(f"the call was still running after {duration:.3f} seconds")
    return CallOutcome(error=error, status=CallStatus.TIMED_OUT, duration=duration)


def _not_started() -> CallOutcome:
    error = CallNotStarted("the timeout of the batch came before this call had started")
    return CallOutcome(error=error, status=CallStatus.NOT_STARTED, attempt=0)
