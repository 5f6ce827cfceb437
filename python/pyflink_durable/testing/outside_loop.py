"""The loop of coroutine functions that calls run: its waits take virtual time, its I/O is real."""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

_PATIENCE = 30.0
"""Seconds for which a coroutine function may wait for real input before the test fails."""


class _Selector(selectors.DefaultSelector):
    """Stops the loop where it would wait.

    Attributes:
        wait: For how many seconds the loop has nothing to do; None for ever.
    """

    stop: Callable[[], None]
    wait: float | None = None
    patience: float = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        found = super().select(self.patience)
        self.patience = 0.0  # what has come is handled before anything more is waited for
        if not found:
            self.wait = timeout
            self.stop()
        return found


class OutsideLoop(asyncio.SelectorEventLoop):
    """Runs until everything waits.

    Args:
        time: Gives the virtual time.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self._selector_of_kit = _Selector()
        super().__init__(self._selector_of_kit)
        self._selector_of_kit.stop = self.stop
        self._time = time
        self._in_threads = 0
        # what is due at this time of the virtual clock is due, also where a float cannot tell
        self._clock_resolution = 1e-3

    def time(self) -> float:
        return self._time()

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context | None) -> Any:
        """Makes a task of a coroutine, in a context."""
        if context is None:
            return asyncio.Task(coroutine, loop=self)
        if sys.version_info >= (3, 11):
            return asyncio.Task(coroutine, loop=self, context=context)
        return context.run(lambda: asyncio.Task(coroutine, loop=self))

    def drive(self, patience: float = 0.0) -> float | None:
        """Runs what is ready; gives in how many seconds a timer is due, None if there is none.

        Args:
            patience: For how many real seconds it waits for real input if nothing is ready.
        """
        self._selector_of_kit.patience = patience
        self.run_forever()
        return self._selector_of_kit.wait

    def wait_for_input(self) -> None:
        """Waits for real input: an answer from a socket, or from a thread."""
        self.drive(_PATIENCE)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Notes what runs on threads of its own: a name that is looked up, say."""
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._left_thread)
        return future

    def _left_thread(self, future: Any) -> None:
        self._in_threads -= 1

    @property
    def expects_input(self) -> bool:
        """Whether real input is under way, from a socket or from a thread: time waits for it."""
        return self._in_threads > 0 or len(self._selector_of_kit.get_map()) > 1
