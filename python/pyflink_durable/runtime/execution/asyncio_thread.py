"""A thread with a standard asyncio loop, for coroutine functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pyflink_durable.runtime.execution.thread_pool import start_thread

HAND_OVER_SECONDS = 0.001
"""How long work is collected before other threads take it. Waking a thread for each call makes two
threads fight for the interpreter's lock: 113 against 83 microseconds a call."""


class AsyncioThread:
    """A thread with a standard asyncio loop, which takes work over in batches.

    Args:
        name: The thread's name.
        on_problem: Gets one line for what no call will see; called on the thread.
    """

    def __init__(self, name: str, on_problem: Callable[[str], None] = lambda line: None) -> None:
        self._name = name
        self._on_problem = on_problem
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._submitted: deque[tuple[Callable[[Any], Any], Any]] = deque()
        self._collecting = False
        self._closed = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The thread's name."""
        return self._name

    @property
    def ident(self) -> int:
        """The thread's id, once it runs."""
        assert self._thread is not None
        assert self._thread.ident is not None
        return self._thread.ident

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The thread's loop, once it runs."""
        assert self._loop is not None
        return self._loop

    def submit(self, start: Callable[[Any], Any], what: Any) -> None:
        """Has `start(what)` called on the thread in a millisecond or two; it must not block.

        After `close` it is forgotten.

        Raises:
            ThreadNotStarted: There is no thread, and none can be started.
        """
        loop = self._loop or self._start()
        if loop is None or self._closed:
            return
        self._submitted.append((start, what))
        if not self._collecting:
            self._collecting = True
            loop.call_soon_threadsafe(loop.call_later, HAND_OVER_SECONDS, self._take_submitted)

    def call_soon(self, callback: Callable[[], None]) -> bool:
        """Has a callback called on the thread, as soon as it can; False if it has ended."""
        try:
            self.loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True

    def _take_submitted(self) -> None:
        self._collecting = False
        while self._submitted:
            start, what = self._submitted.popleft()
            start(what)

    def _start(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._loop is None and not self._closed:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=self._run_loop, args=(loop,), name=self._name, daemon=True
                )
                try:
                    start_thread(thread)
                except BaseException:
                    loop.close()
                    raise
                self._thread = thread
                self._loop = loop
            return self._loop

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            self._run_to_the_end(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def _run_to_the_end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs the loop until `close`.

        asyncio lets a SystemExit or KeyboardInterrupt of any task end the loop, and with it all
        calls. Whoever waits for that task gets the exception, too.
        """
        while True:
            try:
                loop.run_forever()
                return
            except BaseException as error:
                self._on_problem(
                    f"thread={self._name} a task of a call's function raised {error!r}; the calls "
                    "on this thread go on"
                )

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
