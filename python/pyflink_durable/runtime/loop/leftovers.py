"""Ends the tasks that a loop still has when it is closed.

A handler that catches its cancellation and goes on waiting is left to the garbage collector. That
ends a coroutine wherever it strikes: in the midst of a handler of the next attempt, say, on whose
loop and in whose journal the ``finally`` blocks of the old one would then be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

CANCELLATIONS = 10
"""So often a task is cancelled; then its coroutine is closed, whatever it catches."""


def end_tasks(loop: asyncio.AbstractEventLoop, settle: Callable[[], Any]) -> None:
    """Cancels what has not ended, again and again, and closes what goes on all the same.

    Args:
        loop: The running loop.
        settle: Runs its callbacks.
    """
    for _ in range(CANCELLATIONS):
        left = _tasks_of(loop)
        if not left:
            return
        for task in left:
            task.cancel()
        settle()
    for task in _tasks_of(loop):
        _close(loop, task)


def _tasks_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """In the order in which they were started: those of the loop are numbered."""
    return sorted(asyncio.all_tasks(loop), key=hash)


def _close(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    coroutine: Any = task.get_coro()
    try:
        coroutine.close()
    except Exception as error:  # it awaits in its cleanup, or is running
        message = "a task goes on when its loop is closed"
        loop.call_exception_handler({"message": message, "exception": error})
