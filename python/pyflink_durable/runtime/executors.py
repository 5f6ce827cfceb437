"""Where calls run: a pool of threads for functions, one asyncio thread for coroutine functions."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import ContextVar
from inspect import isawaitable
from queue import SimpleQueue
from typing import Any, NamedTuple

from pyflink_durable.validation import is_coroutine_function

inside_call: ContextVar[bool] = ContextVar("pyflink_durable_inside_call", default=False)
"""Whether the code that asks runs inside a durable call."""

HAND_OVER_SECONDS = 0.001
"""How long coroutine calls are collected before the asyncio thread takes them. Waking it for each
one makes two threads fight for the interpreter's lock: 113 against 83 microseconds a call."""


class Outcome(NamedTuple):
    """How a call ended: one of both is None."""

    value: Any
    error: BaseException | None


Report = Callable[[Outcome], None]


class Job(NamedTuple):
    """Work for a thread of a `ThreadPool`."""

    func: Callable[..., Any]
    args: Iterable[Any]
    kwargs: dict[str, Any]
    report: Report
    is_call: bool = True
    """Whether it is a durable call, in which no other may be made."""


class ThreadPool:
    """Threads that run functions and report their outcome to a callback.

    `concurrent.futures` costs some 45 microseconds a call in locks and conditions that nobody
    here waits on; this pool costs one queue operation.

    Args:
        name: The threads' name, with a number behind.
        size: How many threads there are at the most; they start when they are needed.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, job: Job) -> None:
        """Runs a job as soon as a thread is free."""
        with self._lock:
            self._unfinished += 1
            if len(self._threads) < min(self._unfinished, self._size):
                self._start_thread()
        self._jobs.put(job)

    def _start_thread(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._closed:
                continue
            runner = run_inside_call if job.is_call else run
            job.report(runner(job.func, job.args, job.kwargs))
            del job  # an idle thread keeps nobody's payload alive
            with self._lock:
                self._unfinished -= 1

    def close(self, deadline: float) -> list[str]:
        """Ends the threads; jobs that have not started never do.

        Args:
            deadline: When to stop waiting, on the clock of `time.monotonic`.

        Returns:
            The names of threads whose job still runs.
        """
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            _interrupt(thread)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]


def run_inside_call(
    func: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
) -> Outcome:
    """Runs a durable call on this thread; whatever it raises is part of the outcome."""
    token = inside_call.set(True)
    try:
        return run(func, args, kwargs)
    finally:
        inside_call.reset(token)


def run(
    func: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
) -> Outcome:
    """Runs a function on this thread; whatever it raises is part of the outcome."""
    try:
        return Outcome(func(*args, **(kwargs or {})), None)
    except BaseException as error:
        return Outcome(None, error)


def _interrupt(thread: threading.Thread) -> None:
    """Raises SystemExit in a thread, which takes effect when it next runs Python code.

    Nothing ends a thread inside a blocking system call; this ends those that loop or wait in short
    steps. SystemExit is never journaled, and `threading` lets it pass without a word.
    """
    if thread.ident is not None and thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
        )


class AsyncioThread:
    """A thread with a standard asyncio loop that runs coroutines, thousands at a time.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._submitted: deque[tuple[Coroutine[Any, Any, Any], Report]] = deque()
        self._collecting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    def submit(self, coroutine: Coroutine[Any, Any, Any], report: Report) -> None:
        loop = self._loop or self._start()
        self._submitted.append((coroutine, report))
        if not self._collecting:
            self._collecting = True
            loop.call_soon_threadsafe(loop.call_later, HAND_OVER_SECONDS, self._take_submitted)

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
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

    def _take_submitted(self) -> None:
        self._collecting = False
        assert self._loop is not None
        while self._submitted:
            coroutine, report = self._submitted.popleft()
            task = self._loop.create_task(_await(coroutine, report))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self, deadline: float) -> list[str]:
        """Cancels what runs and ends the thread.

        Args:
            deadline: When to stop waiting, on the clock of `time.monotonic`.

        Returns:
            The thread's name if it still runs.
        """
        if self._loop is None or self._thread is None:
            return []
        self._loop.call_soon_threadsafe(self._cancel_all)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return [self._name] if self._thread.is_alive() else []

    def _cancel_all(self) -> None:
        assert self._loop is not None
        for coroutine, _ in self._submitted:
            coroutine.close()
        self._submitted.clear()
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            self._loop.stop()
            return
        waiting = asyncio.gather(*self._tasks, return_exceptions=True)
        waiting.add_done_callback(lambda _: self._loop and self._loop.stop())


async def _await(coroutine: Coroutine[Any, Any, Any], report: Report) -> None:
    inside_call.set(True)  # a task has a context of its own
    try:
        outcome = Outcome(await coroutine, None)
    except BaseException as error:
        outcome = Outcome(None, error)
    report(outcome)


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
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> asyncio.Future[Outcome]:
        """Starts a call.

        Args:
            loop: The loop on which the outcome is waited for.
            func: A function, or a coroutine function; a function may also return an awaitable.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Returns:
            A future of the outcome. Cancelling it gives the outcome up, not the call.
        """
        future: asyncio.Future[Outcome] = loop.create_future()

        def report(outcome: Outcome) -> None:
            if isawaitable(outcome.value):
                self._asyncio.submit(_as_coroutine(outcome.value), report)
            else:
                loop.call_soon_threadsafe(_resolve, future, outcome)

        if is_coroutine_function(func):
            try:
                coroutine = func(*args, **(kwargs or {}))
            except Exception as error:  # arguments that do not fit are the call's error
                future.set_result(Outcome(None, error))
            else:
                self._asyncio.submit(coroutine, report)
        else:
            self._pool.submit(Job(func, args, kwargs or {}, report))
        return future

    def close(self, deadline: float) -> list[str]:
        """Ends all threads; see `ThreadPool.close` and `AsyncioThread.close`."""
        return self._asyncio.close(deadline) + self._pool.close(deadline)


async def _as_coroutine(awaitable: Any) -> Any:
    return await awaitable


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():  # its handler gave it up
        future.set_result(outcome)
