"""Where calls run: functions on a pool of threads, coroutine functions on one asyncio thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, NamedTuple

from pyflink_durable.runtime.thread_pool import ThreadPool
from pyflink_durable.validation import is_coroutine_function

inside_call: ContextVar[bool] = ContextVar("pyflink_durable_inside_call", default=False)
"""Whether the code that asks runs inside a durable call."""

HAND_OVER_SECONDS = 0.001
"""How long work is collected before other threads take it. Waking a thread for each call makes two
threads fight for the interpreter's lock: 113 against 83 microseconds a call."""


class Outcome(NamedTuple):
    """How a call ended: one of both is None."""

    value: Any
    error: BaseException | None


def run(
    func: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
) -> Outcome:
    """Runs a function on this thread; whatever it raises is part of the outcome."""
    try:
        return Outcome(func(*args, **(kwargs or {})), None)
    except BaseException as error:
        return Outcome(None, error)


def run_inside_call(
    func: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
) -> Outcome:
    """Runs a durable call on this thread; whatever it raises is part of the outcome."""
    token = inside_call.set(True)
    try:
        return run(func, args, kwargs)
    finally:
        inside_call.reset(token)


class _Call(NamedTuple):
    """A call on its way to where it runs, and who waits for its outcome."""

    loop: asyncio.AbstractEventLoop
    on_outcome: Callable[[Outcome], None]
    func: Callable[..., Any]
    args: Iterable[Any]
    kwargs: dict[str, Any]

    def report(self, outcome: Outcome) -> None:
        """Hands the outcome to the loop that waits; called from any thread."""
        try:
            self.loop.call_soon_threadsafe(self.on_outcome, outcome)
        except RuntimeError:
            if not self.loop.is_closed():
                raise


class AsyncioThread:
    """A thread with a standard asyncio loop, which takes work over in batches.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._submitted: deque[Callable[[], Any]] = deque()
        self._collecting = False
        self._closed = False
        self._lock = threading.Lock()

    def submit(self, start: Callable[[], Any]) -> None:
        """Has `start` called on the thread within a millisecond or two; it must not block.

        After `close` it is forgotten.
        """
        loop = self._loop or self._start()
        if loop is None or self._closed:
            return
        self._submitted.append(start)
        if not self._collecting:
            self._collecting = True
            loop.call_soon_threadsafe(loop.call_later, HAND_OVER_SECONDS, self._take_submitted)

    def _take_submitted(self) -> None:
        self._collecting = False
        while self._submitted:
            self._submitted.popleft()()

    def _start(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._loop is None and not self._closed:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run_loop, args=(loop,), name=self._name, daemon=True
                )
                self._thread.start()
                self._loop = loop
            return self._loop

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def close(self, deadline: float) -> list[str]:
        """Cancels what runs and ends the thread; what has not started never does.

        Args:
            deadline: When to stop waiting, on the clock of `time.monotonic`.

        Returns:
            The thread's name if it still runs.
        """
        with self._lock:
            self._closed = True
        if self._loop is None or self._thread is None:
            return []
        self._submitted.clear()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel_all, self._loop)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return [self._name] if self._thread.is_alive() else []

    def _cancel_all(self, loop: asyncio.AbstractEventLoop) -> None:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if not tasks:
            loop.stop()
            return
        ended = asyncio.gather(*tasks, return_exceptions=True)
        ended.add_done_callback(lambda _: loop.stop())


class CallExecutor:
    """Runs the calls of one subtask.

    Args:
        name: Prefix of the threads' names.
        threads: Size of the pool for ordinary functions.
    """

    def __init__(self, name: str = "durable-call", threads: int = 16) -> None:
        self._pool = ThreadPool(name, threads)
        self._asyncio = AsyncioThread(f"{name}-asyncio")

    def submit(
        self,
        loop: asyncio.AbstractEventLoop,
        on_outcome: Callable[[Outcome], None],
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Starts a call.

        Args:
            loop: The loop on which the outcome is waited for.
            on_outcome: Called on that loop when the call has ended.
            func: A function, or a coroutine function; a function may also return an awaitable.
            args: Its arguments.
            kwargs: Its keyword arguments.
        """
        call = _Call(loop, on_outcome, func, args, kwargs or {})
        start = self._start_coroutine if is_coroutine_function(func) else self._start_function
        self._asyncio.submit(lambda: start(call))

    def start_on(self, pool: ThreadPool, job: Callable[[], None]) -> None:
        """Starts a job on a pool, collected with the calls that are being started."""
        self._asyncio.submit(lambda: pool.submit(job))

    def _start_coroutine(self, call: _Call) -> None:
        asyncio.get_running_loop().create_task(_await(call))

    def _start_function(self, call: _Call) -> None:
        self._pool.submit(lambda: self._run_function(call))

    def _run_function(self, call: _Call) -> None:
        outcome = run_inside_call(call.func, call.args, call.kwargs)
        if isawaitable(outcome.value):  # a lambda around a coroutine function, for example
            awaiting = call._replace(func=_identity, args=(outcome.value,), kwargs={})
            self._asyncio.submit(lambda: self._start_coroutine(awaiting))
        else:
            call.report(outcome)

    def close(self, deadline: float) -> list[str]:
        """Ends all threads; see `ThreadPool.close` and `AsyncioThread.close`."""
        return self._asyncio.close(deadline) + self._pool.close(deadline)


def _identity(value: Any) -> Any:
    return value


async def _await(call: _Call) -> None:
    inside_call.set(True)  # a task has a context of its own
    try:
        outcome = Outcome(await call.func(*call.args, **call.kwargs), None)
    except BaseException as error:
        outcome = Outcome(None, error)
    call.report(outcome)
