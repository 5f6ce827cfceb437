"""Threads of ``def`` handlers, of which one runs at a time, and only when it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from threading import Lock, Thread, get_ident
from typing import Any, Protocol

from pyflink_durable.testing.crashes import Crashed
from pyflink_durable.testing.virtual_clock import VirtualClock


class HandlerThread:
    """The thread of one ``def`` handler.

    Args:
        run: What it runs.

    Attributes:
        ident: Its number, once it runs.
        ended: Whether it has.
        due: When it is to look again, although nothing may have arrived; None if it need not.
        ready: Whether something has arrived for it.
    """

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._go, self._back = Lock(), Lock()
        self._go.acquire()
        self._back.acquire()
        self._thread = Thread(target=self._main, name="durable-handler", daemon=True)
        self._killed = False
        self.ident = 0
        self.ended = False
        self.due: float | None = None
        self.ready = True

    def resume(self) -> None:
        """Lets it run until it waits or ends; on the thread of the test."""
        self.ready = False
        if not self.ident:
            self._thread.start()
            self.ident = self._thread.ident or 0
        self._go.release()
        self._back.acquire()
        if self.ended:
            self._thread.join()

    def pause(self) -> None:
        """Lets the test go on; on this thread.

        Raises:
            Crashed: The attempt has ended meanwhile.
        """
        self._back.release()
        self._go.acquire()
        if self._killed:
            raise Crashed

    def kill(self) -> None:
        """Ends it where it waits; what it does on the way out touches nothing."""
        self._killed = True
        while not self.ended and self.ident:
            self.resume()

    def _main(self) -> None:
        self._go.acquire()
        with suppress(Crashed):
            self._run()
        self.ended = True
        self._back.release()


class HasThreads(Protocol):
    """The attempt, as far as its threads know it."""

    threads: list[HandlerThread]


def thread_of(attempt: HasThreads) -> HandlerThread | None:
    """The thread that asks, None if it is not one of a ``def`` handler."""
    me = get_ident()
    return next((one for one in attempt.threads if one.ident == me), None)


class Arrivals:
    """In place of the queue at which the thread of a ``def`` handler waits."""

    def __init__(self, clock: VirtualClock, attempt: HasThreads) -> None:
        self._clock = clock
        self._items: deque[Any] = deque()
        thread = thread_of(attempt)
        assert thread is not None, "only the thread of a handler waits here"
        self._thread = thread

    def put(self, item: Any) -> None:
        """Has `get` give this."""
        self._items.append(item)
        self._thread.ready = True

    def get(self, timeout: float | None = None) -> Any:
        """Waits in virtual time.

        Raises:
            Empty: Nothing has come in time.
        """
        due = None if timeout is None else self._clock.now + timeout
        while not self._items:
            if due is not None and self._clock.now >= due:
                raise Empty
            self._thread.due = due
            self._thread.pause()
        self._thread.due = None
        return self._items.popleft()
