"""What asyncio, and libraries on top of it, ask a loop beside running callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pyflink_durable.errors import UnsupportedLoopOperation
from pyflink_durable.runtime.loop.refuses_real_io import RefusesRealIO


class AnswersAsyncio(RefusesRealIO):  # type: ignore[misc]
    """The settings of a loop that many handlers share, so that none of them may change it.

    Args:
        on_problem: Gets one line for an exception that no handler will see.
    """

    def __init__(self, on_problem: Callable[[str], None]) -> None:
        self._on_problem = on_problem

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Debug mode would read the clock for each callback; asyncio's own checks still run."""

    def get_task_factory(self) -> None:
        """There is none: tasks are numbered, see `NumberedTask`."""

    def set_task_factory(self, factory: Any) -> None:
        if factory is not None:
            raise _shared("set_task_factory", "create tasks with asyncio.create_task")

    def get_exception_handler(self) -> None:
        """There is none: what no handler will see goes to the log."""

    def set_exception_handler(self, handler: Any) -> None:
        if handler is not None:
            raise _shared("set_exception_handler", "await what may fail")

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        detail = f": {type(error).__name__}: {error}" if error is not None else ""
        self._on_problem(f"unhandled on the handler's loop: {context.get('message')}{detail}")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Reports what nobody awaits.

        Raises:
            BaseException: A callback has raised what is no Exception: it fails the task. asyncio
                would keep it to itself.
        """
        self.default_exception_handler(context)
        error = context.get("exception")
        of_a_callback = (
            "handle" in context
        )  # a task reports in its __del__, where raising has no effect
        if of_a_callback and not isinstance(error, (Exception, asyncio.CancelledError, type(None))):
            raise error

    async def shutdown_asyncgens(self) -> None:
        """Nothing to shut down: generators are closed with their handler."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is no default executor."""


def _shared(name: str, instead: str) -> UnsupportedLoopOperation:
    return UnsupportedLoopOperation(
        f"loop.{name} is not possible on a durable handler's event loop, which all handlers of the "
        f"subtask share; {instead}"
    )
