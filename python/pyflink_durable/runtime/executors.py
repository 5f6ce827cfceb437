"""Where calls run: functions on a pool of threads, coroutine functions on one asyncio thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import iscoroutine
from typing import Any

from pyflink_durable.current_call import CurrentCall, running_call
from pyflink_durable.runtime.asyncio_thread import AsyncioThread
from pyflink_durable.runtime.in_flight import InFlightLimit
from pyflink_durable.runtime.outcome import Outcome, Reports, SubmittedCall, run_inside_call
from pyflink_durable.runtime.thread_pool import ThreadPool
from pyflink_durable.runtime.timeouts import TimedFunction, await_in_time
from pyflink_durable.validation import is_awaitable, is_coroutine_function


class CallExecutor:
    """Runs the calls of one subtask.

    Args:
        name: Prefix of the threads' names.
        threads: Size of the pool for ordinary functions.
        max_in_flight: How many calls run at a time, coroutine functions included; None: all.
        on_abandoned: Called with how many calls were given up, on any thread.
    """

    def __init__(
        self,
        name: str = "durable-call",
        threads: int = 16,
        max_in_flight: int | None = None,
        on_abandoned: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._pool = ThreadPool(name, threads)
        self._asyncio = AsyncioThread(f"{name}-asyncio")
        self._on_abandoned = on_abandoned
        self._start: Callable[[SubmittedCall], None] = self._start_now
        if max_in_flight is not None:
            self._start = InFlightLimit(max_in_flight, self._start_now).start
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._closed = False
        self._closing_callbacks: set[Callable[[], None]] = set()

    @contextmanager
    def on_closing(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within it, the callback is called when the executor closes, and at once if it has."""
        self._closing_callbacks.add(callback)
        try:
            if self._closed:
                callback()
            yield
        finally:
            self._closing_callbacks.discard(callback)

    def submit(
        self,
        loop: Reports,
        on_outcome: Callable[[Outcome], None],
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
        current: CurrentCall | None = None,
        timeout: float | None = None,
    ) -> None:
        """Starts a call.

        Args:
            loop: The loop on which the outcome is waited for.
            on_outcome: Called on that loop when the call has ended.
            func: A function, or a coroutine function; a function may also return an awaitable.
            args: Its arguments.
            kwargs: Its keyword arguments.
            current: What the function may ask about its call.
            timeout: Seconds after which the outcome is a `TimedOut`, counted from when it runs.
        """
        self._start(SubmittedCall(loop, on_outcome, func, args, kwargs or {}, current, timeout))

    def _start_now(self, call: SubmittedCall) -> None:
        coroutine = is_coroutine_function(call.func)
        start = self._start_coroutine if coroutine else self._start_function
        self._asyncio.submit(lambda: start(call))

    def start_on(self, pool: ThreadPool, job: Callable[[], None]) -> None:
        """Starts a job on a pool, collected with the calls that are being started."""
        self._asyncio.submit(lambda: pool.submit(job))

    def _start_coroutine(self, call: SubmittedCall) -> None:
        awaiting = self._await(call) if call.timeout is None else self._await_in_time(call)
        # asyncio itself does not keep a task alive
        self._tasks[id(call)] = asyncio.Task(awaiting, loop=self._asyncio.loop)

    async def _await(self, call: SubmittedCall) -> None:
        running_call.set(call.current)  # a task has a context of its own
        try:
            outcome = Outcome(await call.func(*call.args, **call.kwargs), None)
        except BaseException as error:
            outcome = Outcome(None, error)
        del self._tasks[id(call)]
        call.report(outcome)
        del outcome  # an error's traceback holds this frame, which held the error

    async def _await_in_time(self, call: SubmittedCall) -> None:
        assert call.timeout is not None
        try:
            await await_in_time(call, call.timeout, self._on_abandoned)
        finally:
            del self._tasks[id(call)]

    def _start_function(self, call: SubmittedCall) -> None:
        if call.timeout is None:
            self._pool.submit(lambda: self._run_function(call))
            return
        timed = TimedFunction(call, call.timeout, self._asyncio.loop, self._replace_thread)

        def run_in_time() -> bool:
            with timed:
                self._run_function(timed.call)
            return timed.expired  # then the pool has another thread in place of this one

        self._pool.submit(run_in_time)

    def _run_function(self, call: SubmittedCall) -> None:
        outcome = run_inside_call(call.current, call.func, call.args, call.kwargs)
        if is_awaitable(outcome.value):  # a lambda around a coroutine function, for example
            if call.loop.is_closed():  # it came to nothing before its timeout, and starts no more
                if iscoroutine(outcome.value):
                    outcome.value.close()
                return
            awaiting = call._replace(func=_identity, args=(outcome.value,), kwargs={})
            self._asyncio.submit(lambda: self._start_coroutine(awaiting))
        else:
            call.report(outcome)
        del outcome  # as above

    def _replace_thread(self) -> None:
        self._on_abandoned(1)
        self._pool.replace_one()

    def end_waits(self) -> None:
        """Wakes the threads that wait for calls, so that they can be joined; see `on_closing`."""
        self._closed = True
        for callback in tuple(self._closing_callbacks):
            callback()

    def close(self, deadline: float) -> list[str]:
        """Ends all threads; see `ThreadPool.close` and `AsyncioThread.close`."""
        self.end_waits()
        return self._asyncio.close(deadline) + self._pool.close(deadline)


def _identity(value: Any) -> Any:
    return value
