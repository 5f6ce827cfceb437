"""Where calls run: functions on a pool of threads, coroutine functions on one asyncio thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from inspect import iscoroutine
from queue import SimpleQueue
from typing import Any

from pyflink_durable.checks.arguments import is_awaitable, is_coroutine_function
from pyflink_durable.errors import ThreadNotStarted
from pyflink_durable.runtime.execution.asyncio_thread import AsyncioThread
from pyflink_durable.runtime.execution.closing import close_all
from pyflink_durable.runtime.execution.execution import Execution, Report, cancelled_itself
from pyflink_durable.runtime.execution.limits import InFlightLimit
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.execution.timeouts import ThreadTimeout, await_in_time


class CallExecutor:
    """Runs the calls of one subtask.

    Args:
        name: Prefix of the threads' names.
        threads: Size of the pool for ordinary functions.
        max_in_flight: How many calls run at a time, coroutine functions included; None: all.
        on_abandoned: Called with how many calls were given up, on any thread.
        max_gated: How many of those for which the gate is. A checkpoint lets thousands through at
            once, and the outside must not see them at once.
        on_problem: Gets one line for what no call will see; called on any thread.
    """

    def __init__(
        self,
        name: str = "durable-call",
        threads: int = 16,
        max_in_flight: int | None = None,
        on_abandoned: Callable[[int], None] = lambda count: None,
        max_gated: int = 1_000,
        on_problem: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._pool = ThreadPool(name, threads, on_problem)
        self._asyncio = AsyncioThread(f"{name}-asyncio", on_problem)
        self._on_abandoned = on_abandoned
        self._start: Callable[[Execution], None] = self._start_now
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

    def submit(self, execution: Execution, report: Report) -> None:
        """Starts a call.

        Args:
            execution: The call's function.
            report: Called with its outcome, on any thread; never if it is revoked before it begins.
        """
        execution.report_to(report)
        if execution.gated:
            self._start_gated(execution)
        else:
            self._start(execution)

    def run_here(self, execution: Execution) -> FunctionOutcome:
        """Runs a function on the thread that asks, which is that of a ``def`` handler."""
        return execution.run()

    def arrivals(self) -> SimpleQueue[Any]:
        """A queue at which the thread of a ``def`` handler waits."""
        return SimpleQueue()

    def _start_now(self, execution: Execution) -> None:
        coroutine = is_coroutine_function(execution.func)
        try:
            self._asyncio.submit(
                self._start_coroutine if coroutine else self._start_function, execution
            )
        except ThreadNotStarted as failure:
            self._refuse(execution, failure)

    def _refuse(self, execution: Execution, failure: ThreadNotStarted) -> None:
        execution.report(FunctionOutcome(None, failure))

    def start_on(
        self,
        pool: ThreadPool,
        run: Callable[[Any], object],
        what: Any,
        refuse: Callable[[Any, ThreadNotStarted], object],
    ) -> None:
        """Starts a job on a pool, collected with the calls that are being started.

        Args:
            pool: Whose threads run it.
            run: See `ThreadPool.submit`.
            what: See there.
            refuse: Called in its place if there is no thread, and none can be started.
        """
        try:
            self._asyncio.submit(lambda what: pool.submit(run, what, refuse), what)
        except ThreadNotStarted as failure:
            refuse(what, failure)

    # ---------------------------------------------------------------- on the asyncio thread

    def _start_coroutine(self, execution: Execution) -> None:
        if execution.begin():
            self._await(execution)

    def _await(self, execution: Execution) -> None:
        """Awaits a function that has begun; asyncio itself does not keep a task alive."""
        coroutine: Coroutine[Any, Any, None]
        if execution.timeout is None:
            coroutine = self._run_coroutine(execution)
        else:
            coroutine = self._run_in_time(execution, execution.timeout)
        loop, context = self._asyncio.loop, execution.context
        if context is None:
            task = asyncio.Task(coroutine, loop=loop)
        elif sys.version_info >= (3, 11):
            task = asyncio.Task(coroutine, loop=loop, context=context)
        else:
            task = context.run(lambda: asyncio.Task(coroutine, loop=loop))
        self._tasks[id(execution)] = task

    async def _run_coroutine(self, execution: Execution) -> None:
        func = execution.func
        outcome = await execution.run_async()
        del self._tasks[id(execution)]
        if isinstance(outcome.error, asyncio.CancelledError) and not self._closed:
            outcome = cancelled_itself(outcome.error, func)
        execution.report(outcome)
        del outcome  # an error's traceback holds this frame, which held the error

    async def _run_in_time(self, execution: Execution, timeout: float) -> None:
        try:
            await await_in_time(execution, timeout, self._on_abandoned)
        finally:
            del self._tasks[id(execution)]

    def _start_function(self, execution: Execution) -> None:
        self._pool.submit(self._run_function, execution, self._refuse)

    # ---------------------------------------------------------------- on a thread of the pool

    def _run_function(self, execution: Execution) -> bool:
        """Runs a function; tells whether it was given up meanwhile."""
        if not execution.begin():
            return False
        if execution.timeout is None:
            outcome = execution.run()
        else:
            with ThreadTimeout(execution, self._asyncio.loop, self._replace_thread):
                outcome = execution.run()
        try:
            if is_awaitable(outcome.value):  # a lambda around a coroutine function, for example
                return not self._await_later(execution, outcome.value)
            return not execution.report(outcome)
        finally:
            del outcome  # an error's traceback holds this frame, which held the error

    def _await_later(self, execution: Execution, awaitable: Any) -> bool:
        """Has an awaitable that a function returned awaited; False if nobody waits any more."""
        if execution.go_on_with(_identity, awaitable):
            self._asyncio.submit(self._await, execution)
            return True
        if iscoroutine(awaitable):
            awaitable.close()
        return False

    def _replace_thread(self) -> None:
        self._on_abandoned(1)
        self._pool.give_up()

    # ---------------------------------------------------------------- the end

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
        alive: list[str] = []
        close_all(
            self.end_waits,
            lambda: alive.extend(self._asyncio.close(deadline)),
            lambda: alive.extend(self._pool.close(deadline)),
        )
        return alive


def _identity(value: Any) -> Any:
    return value
