"""A call where there is no journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from copy import copy
from inspect import iscoroutine
from typing import Any

from pyflink_durable.checks.arguments import without_infinity
from pyflink_durable.current_call import CurrentCall, call_inside
from pyflink_durable.errors import OutcomeUnknown
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id
from pyflink_durable.payload.copies import copy_of_call
from pyflink_durable.retry import RetryPolicy


class PlainCall:
    """A function that is called as one of a durable call.

    Args:
        func: The function.
        args: Its arguments.
        kwargs: Its keyword arguments.
        current: What it may ask about its call.
        timeout: Seconds that it may take, if it is a coroutine function.
        retry: How it is tried again when it fails; its pauses are real.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        current: CurrentCall,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._func = func
        self._args = args
        self._kwargs = kwargs
        self._current = current
        self._timeout = without_infinity(timeout)
        self._retry = retry
        self._context = copy_context()

    def run(self) -> Any:
        """Calls an ordinary function, here and now."""
        while True:
            try:
                return self._begin()
            except Exception as error:
                pause = self._pause_after(error)
                if pause is None:
                    raise
            time.sleep(pause)

    def _begin(self) -> Any:
        func, args, kwargs = self._func, self._args, self._kwargs
        if self._retry is not None:  # another attempt is not to see what this one changes
            func, args, kwargs = copy_of_call(func, args, kwargs)
        return self._context.run(call_inside, self._current, func, args, kwargs)

    def _pause_after(self, error: Exception) -> float | None:
        """Seconds before the next attempt, which is the current one by then; None for none.

        What is unknown is not tried again: a job would ask the reconciler first.
        """
        retry, attempt = self._retry, self._current.attempt
        if retry is None or isinstance(error, OutcomeUnknown) or not retry.allows(error, attempt):
            return None
        self._current = copy(self._current)
        self._current.attempt = attempt + 1
        return retry.interval(attempt)

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
        while True:
            try:
                result = self._begin()
                return await self._await(result) if isinstance(result, Awaitable) else result
            except Exception as error:
                pause = self._pause_after(error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _await(self, result: Awaitable[Any]) -> Any:
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
