"""A call where there is no journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from inspect import iscoroutine
from typing import Any

from pyflink_durable.checks.arguments import without_infinity
from pyflink_durable.current_call import CurrentCall, call_inside
from pyflink_durable.errors import OutcomeUnknown
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id


class PlainCall:
    """A function that is called once, as one of a durable call.

    Args:
        func: The function.
        args: Its arguments.
        kwargs: Its keyword arguments.
        current: What it may ask about its call.
        timeout: Seconds that it may take, if it is a coroutine function.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        current: CurrentCall,
        timeout: float | None = None,
    ) -> None:
        self._func = func
        self._args = args
        self._kwargs = kwargs
        self._current = current
        self._timeout = without_infinity(timeout)
        self._context = copy_context()

    def run(self) -> Any:
        """Calls an ordinary function, here and now."""
        return self._context.run(call_inside, self._current, self._func, self._args, self._kwargs)

    def run_ordinary(self) -> Any:
        """As `run`, and refuses a coroutine function.

        Raises:
            TypeError: It gave an awaitable.
        """
        result = self.run()
        if not isinstance(result, Awaitable):
            return result
        if iscoroutine(result):
            result.close()
        raise TypeError(
            "ctx.durable_execute_all takes ordinary functions; a coroutine function needs "
            "`await ctx.durable_execute_all_async(...)` in an `async def` handler"
        )

    async def run_async(self) -> Any:
        """Calls a function, and awaits what it gives.

        Raises:
            OutcomeUnknown: It has not ended at its timeout.
        """
        result = self.run()
        if not isinstance(result, Awaitable):
            return result
        running = self._context.run(asyncio.ensure_future, result)
        try:
            # not `wait_for`, whose TimeoutError could as well be the function's own
            await asyncio.wait({running}, timeout=self._timeout)
            if running.done():
                return running.result()
        finally:
            running.cancel()
        raise self._unknown()

    def _unknown(self) -> OutcomeUnknown:
        current = self._current
        name = current.durable_id or compute_function_id(self._func)
        digest = compute_args_digest(self._args, self._kwargs)
        key = current.idempotency_key
        return OutcomeUnknown(name, digest, key, current.attempt, "timeout")
