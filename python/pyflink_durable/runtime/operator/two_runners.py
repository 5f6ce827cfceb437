"""Runs handlers of two kinds: where one version is ``async def``, and another one ``def``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.handler import HandlerFunction
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner
from pyflink_durable.runtime.operator.user_state import StateBackend


class TwoRunners:
    """A runner for each kind of handler; that of the current version is the own one.

    Args:
        on_loop: Runs ``async def`` handlers.
        on_threads: Runs ``def`` handlers.
        is_async: Whether the handler of the current version is ``async def``.
        on_task_thread: Whether the code that asks runs on the task thread, as those of the loop do.
    """

    def __init__(
        self,
        on_loop: AsyncHandlerRunner,
        on_threads: ThreadHandlerRunner,
        is_async: bool,
        on_task_thread: Callable[[], bool],
    ) -> None:
        self._on_loop = on_loop
        self._on_threads = on_threads
        self._own: HandlerRunner = on_loop if is_async else on_threads
        self._on_task_thread = on_task_thread

    def runner_of(self, function: HandlerFunction) -> HandlerRunner:
        return self._on_loop if is_coroutine_function(function) else self._on_threads

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        return self._own.journal_of(bridge, invocation, size)

    def state_of(self, backend: StateBackend) -> StateBackend:
        return _StateOfEither(backend, self._on_threads.state_of(backend), self._on_task_thread)

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        return self._on_loop.take_writes()

    def begin_report(self) -> None:
        self._on_loop.begin_report()

    def forget(self, invocation: Invocation) -> None:
        self._on_loop.forget(invocation)

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        return self._on_loop.keep(invocations)

    def start(self, invocation: Invocation, function: HandlerFunction | None = None) -> None:
        self._own.start(invocation, function)

    def park(self, invocations: Iterable[int]) -> list[int]:
        return self._on_loop.park(invocations)

    def describe(self, invocation: int) -> str:
        return self._on_loop.describe(invocation)

    def close(self, deadline: float) -> list[str]:
        return [*self._on_loop.close(deadline), *self._on_threads.close(deadline)]


class _StateOfEither:
    """The state of a key, which is asked for on the task thread, whoever wants to know."""

    def __init__(
        self, here: StateBackend, elsewhere: StateBackend, on_task_thread: Callable[[], bool]
    ) -> None:
        self._here = here
        self._elsewhere = elsewhere
        self._on_task_thread = on_task_thread

    def _backend(self) -> StateBackend:
        return self._here if self._on_task_thread() else self._elsewhere

    def get(self, name: str) -> bytes | None:
        return self._backend().get(name)

    def names(self) -> list[str]:
        return self._backend().names()
