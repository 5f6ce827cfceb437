"""Where calls run: functions on a pool of threads, coroutine functions on one asyncio thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutine
from typing import Any

from pyflink_durable.current_call import running_call
from pyflink_durable.runtime.asyncio_thread import AsyncioThread
from pyflink_durable.runtime.in_flight import InFlightLimit
from pyflink_durable.runtime.outcome import Outcome, Reports, Run, run_inside_call
from pyflink_durable.runtime.thread_pool import ThreadPool
from pyflink_durable.runtime.timeouts import TimedFunction, await_in_time
from pyflink_durable.validation import is_awaitable, is_coroutine_function


class CallExecutor:
    """Runs the calls of one subtask.

    Args:
        name: Prefix of the threads' names.
        threads: Size of the pool for ordinary functions.
        max_in_flight: How many calls run at a time, coroutine functions included; None: all.
        max_gated: How many of those for which the gate is. A checkpoint lets thousands through at
            once, and the outside must not see them at once.
        on_abandoned: Called with how many calls were given up, on any thread.
    """

    def __init__(
        self,
        name: str = "durable-call",
        threads: int = 16,
        max_in_flight: int | None = None,
        on_abandoned: Callable[[int], None] = lambda count: None,
        max_gated: int = 1_000,
    ) -> None:
        self._pool = ThreadPool(name, threads)
        self._asyncio = AsyncioThread(f"{name}-asyncio")
        self._on_abandoned = on_abandoned
        self._start: Callable[[Run], None] = self._start_now
        if max_in_flight is not None:
            self._start = InFlightLimit(max_in_flight, self._start_now).start
        self._start_gated = InFlightLimit(max_gated, self._start).start
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

    def submit(self, loop: Reports, on_outcome: Callable[[Outcome], None], run: Run) -> None:
        """Starts a call.

        Args:
            loop: The loop on which the outcome is waited for.
            on_outcome: Called on that loop when the call has ended.
            run: The call's function; an ordinary one may also return an awaitable.
        """
        run.loop = loop
        run.on_outcome = on_outcome
        if run.gated:
            self._start_gated(run)
        else:
            self._start(run)

    def _start_now(self, run: Run) -> None:
        coroutine = is_coroutine_function(run.func)
        self._asyncio.submit(self._start_coroutine if coroutine else self._start_function, run)

    def start_on(self, pool: ThreadPool, job: Callable[[], None]) -> None:
        """Starts a job on a pool, collected with the calls that are being started."""
        self._asyncio.submit(pool.submit, job)

    def _start_coroutine(self, run: Run) -> None:
        awaiting = self._await(run) if run.timeout is None else self._await_in_time(run)
        # asyncio itself does not keep a task alive
        self._tasks[id(run)] = asyncio.Task(awaiting, loop=self._asyncio.loop)

    async def _await(self, run: Run) -> None:
        running_call.set(run.current)  # a task has a context of its own
        try:
            outcome = Outcome(await run.func(*run.args, **run.kwargs), None)
        except BaseException as error:
            outcome = Outcome(None, error)
        del self._tasks[id(run)]
        run.report(outcome)
        del outcome  # an error's traceback holds this frame, which held the error

    async def _await_in_time(self, run: Run) -> None:
        assert run.timeout is not None
        try:
            await await_in_time(run, run.timeout, self._on_abandoned)
        finally:
            del self._tasks[id(run)]

    def _start_function(self, run: Run) -> None:
        if run.timeout is None:
            self._pool.submit(lambda: self._run_function(run))
            return
        timed = TimedFunction(run, run.timeout, self._asyncio.loop, self._replace_thread)

        def run_in_time() -> bool:
            with timed:
                self._run_function(timed.run)
            return timed.expired  # then the pool has another thread in place of this one

        self._pool.submit(run_in_time)

    def _run_function(self, run: Run) -> None:
        outcome = run_inside_call(run.current, run.func, run.args, run.kwargs)
        if is_awaitable(outcome.value):  # a lambda around a coroutine function, for example
            if run.loop.is_closed():  # it came to nothing before its timeout, and starts no more
                if iscoroutine(outcome.value):
                    outcome.value.close()
                del run.loop  # which holds the run
                return
            run.func, run.args, run.kwargs = _identity, (outcome.value,), {}
            self._asyncio.submit(self._start_coroutine, run)
        else:
            run.report(outcome)
        del outcome  # as above

    def _replace_thread(self) -> None:
        self._on_abandoned(1)
        self._pool.replace_one()

    def awaiting_thread(self) -> AsyncioThread | None:
        """The thread of the coroutine functions, if any of them runs."""
        return self._asyncio if self._tasks else None

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
