"""A thread with a standard asyncio loop, for coroutine functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

HAND_OVER_SECONDS = 0.001
"""How long work is collected before other threads take it. Waking a thread for each call makes two
threads fight for the interpreter's lock: 113 against 83 microseconds a call."""


class AsyncioThread:
    """A thread with a standard asyncio loop, which takes work over in batches.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
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
