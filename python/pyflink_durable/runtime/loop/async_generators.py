"""Asynchronous generators of handlers: closed at the same point in each run.

One that is left before its end (``break``) is closed by the event loop when nothing refers to it
any more, as soon as Python finds out: at once where the last reference goes, and at some time where
it is part of a cycle and waits for the garbage collector. Durable calls in its ``finally`` would
take other slots in each run. So here the first kind is closed at once, as asyncio does it, and the
second when the handler has ended.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

Generator = AsyncGenerator[Any, Any]

_FEW = 32
"""So many are not worth a look for those that have ended."""


class InvocationGenerators:
    """The asynchronous generators of one invocation, in the order in which they were begun.

    Args:
        owners: Whose generators are whose, by their address; of all invocations of the loop.
    """

    __slots__ = ("_begun", "_closing", "_next_look", "_owners")

    def __init__(self, owners: dict[int, InvocationGenerators]) -> None:
        self._owners = owners
        self._begun: dict[int, Callable[[], Generator | None]] = {}
        self._closing: dict[asyncio.Task[Any], None] = {}
        self._next_look = _FEW

    def begin(self, generator: Generator) -> None:
        """Takes one in that is iterated for the first time; it is not kept alive."""
        address = id(generator)
        self._forget(address)  # one that is gone: this has a place of its own in the order
        self._begun[address] = weakref.ref(generator)
        self._owners[address] = self
        if len(self._begun) > self._next_look:
            for ended in [one for one, get in self._begun.items() if get() is None]:
                self._forget(ended)
            self._next_look = max(_FEW, 2 * len(self._begun))

    def keep(self, generator: Generator) -> None:
        """Keeps one alive that the garbage collector has found, at its place in the order."""
        self._begun[id(generator)] = lambda: generator

    def close_now(self, generator: Generator, loop: asyncio.AbstractEventLoop) -> None:
        """Closes one whose last reference has gone, in a task of its own."""
        self._forget(id(generator))
        closing = loop.create_task(generator.aclose())
        self._closing[closing] = None
        closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Task[Any]) -> None:
        if not closing.cancelled() and closing.exception() is None:
            self._closing.pop(closing, None)

    def _forget(self, address: int) -> None:
        if self._begun.pop(address, None) is not None and self._owners.get(address) is self:
            del self._owners[address]

    def is_closing(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task is there to close a generator."""
        return task in self._closing

    async def close_all(self) -> list[BaseException]:
        """Closes what is open, one after another; gives what was raised, here and before."""
        errors: list[BaseException] = []
        while self._closing or self._begun:
            closing = self._take_next()
            if closing is not None:
                try:
                    await closing
                except BaseException as error:
                    errors.append(error)
        try:
            return errors
        finally:
            del errors  # their tracebacks hold this frame

    def _take_next(self) -> Awaitable[Any] | None:
        if self._closing:
            task = next(iter(self._closing))
            del self._closing[task]
            return task
        address, get = next(iter(self._begun.items()))
        self._forget(address)
        generator = get()
        return None if generator is None else generator.aclose()
