"""Keeps the handlers' loop to its thread: what comes from elsewhere is in no journal.

An `asyncio.Event` that a thread sets, a future that it resolves, a callback that it hands over:
each has a handler go on by something that a replay would not see. So all of it is refused by name.
A sync durable call runs on the loop's own thread; for as long as it does, the loop has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import current_thread, get_ident
from typing import Any, NoReturn

from pyflink_durable.current_call import running_call
from pyflink_durable.errors import DurableExecutionError, UnsupportedLoopOperation
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call_site import site_on_the_stack
from pyflink_durable.runtime.loop.asyncio_answers import AnswersAsyncio

_NOBODY = 0
"""In place of a thread's number."""


class KeepsToItsThread(AnswersAsyncio):
    """A loop that runs on one thread at a time.

    Args:
        on_problem: Gets one line for an exception that no handler will see.

    Attributes:
        thread: The thread that may give it something to do.
    """

    def __init__(self, on_problem: Callable[[str], None]) -> None:
        super().__init__(on_problem)
        self.thread = get_ident()

    def hand_over(self, callback: Callable[..., Any], *args: Any) -> None:
        """Has a callback called on its thread; the runtime's own way, from any thread."""
        raise NotImplementedError

    def run_call(self, execution: Execution) -> FunctionOutcome:
        """Runs a function that a replay does not run: it must give the loop nothing to do."""
        thread, self.thread = self.thread, _NOBODY
        try:
            return execution.run()
        finally:
            self.thread = thread

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """As `call_soon`, from its own thread.

        Raises:
            UnsupportedLoopOperation: It is another.
        """
        if get_ident() == self.thread:
            handle: asyncio.Handle = self.call_soon(callback, *args, context=context)
            return handle
        if running_call.get() is not None:  # it is that call's failure
            raise _refused("loop.call_soon_threadsafe")
        self.refuse("loop.call_soon_threadsafe")

    def refuse(self, what: str) -> NoReturn:
        """Refuses what another thread wants, and fails the task.

        A handler may wait for it, and that thread may tell nobody of the error.

        Raises:
            UnsupportedLoopOperation: Always.
        """
        error = _refused(what)
        self.fail(error)
        raise error

    def fail(self, error: DurableExecutionError) -> None:
        """Fails the task with an error that whoever caused it may keep to himself."""
        if not self.is_closed():
            self.hand_over(_raise, type(error), str(error))


def _refused(what: str) -> UnsupportedLoopOperation:
    inside = running_call.get() is not None
    where = "a durable call" if inside else f"thread {current_thread().name!r}"
    return UnsupportedLoopOperation(
        f"{what} of the handlers' event loop was used from {where} at "
        f"{site_on_the_stack() or 'an unknown line'} (so are Event.set, Future.set_result, "
        "Task.cancel and run_coroutine_threadsafe there): no journal holds it, and a replay would "
        "miss it. Return what the handler is to know from the function of a durable call; the "
        "handler goes on when `await ctx.durable_execute_async(func, ...)` gives it"
    )


def _raise(kind: type[DurableExecutionError], message: str) -> None:
    raise kind(message)
