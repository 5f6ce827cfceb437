"""Runs ``def`` handlers on worker threads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from contextvars import copy_context
from inspect import iscoroutine
from typing import Any

from pyflink_durable.checks.arguments import is_awaitable
from pyflink_durable.errors import ThreadNotStarted
from pyflink_durable.handler import HandlerFunction
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome, run
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.journal.access import JournalAccess, SlotJournal
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation, OnEnd
from pyflink_durable.runtime.operator.user_state import StateBackend


class ThreadHandlerRunner:
    """Runs ``def`` handlers on worker threads, so that a call that blocks holds no other key."""

    def __init__(
        self,
        function: HandlerFunction,
        loop: DurableLoop,
        executor: CallExecutor,
        pool: ThreadPool,
        on_end: OnEnd,
    ) -> None:
        self._function = function
        self._loop = loop
        self._executor = executor
        self._pool = pool
        self._on_end = on_end
        self._requests: set[Future[Any]] = set()
        self._closed = False

    def runner_of(self, function: HandlerFunction) -> HandlerRunner:
        return self

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        return SlotJournal(bridge, invocation, size=size)

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        return 0, ()

    def begin_report(self) -> None:
        """Nothing waits: a worker writes at once, a snapshot may be taken at any time."""

    def forget(self, invocation: Invocation) -> None:
        """What it wrote is in the journal already, which is dropped with it."""

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        return ()

    def park(self, invocations: Iterable[int]) -> list[Any]:
        """A thread cannot be dropped."""
        return []

    def state_of(self, backend: StateBackend) -> StateBackend:
        return _TaskThreadState(backend, self._on_task_thread)

    def start(self, invocation: Invocation, function: HandlerFunction | None = None) -> None:
        # a copy of the context of the task thread: what a handler sets is its own
        context = copy_context()
        self._executor.start_on(
            self._pool,
            lambda invocation: context.run(self._handle, invocation, function or self._function),
            invocation,
            self._refuse,
        )

    def _handle(self, invocation: Invocation, function: HandlerFunction) -> None:
        invocation.context.settle(None)
        outcome = run(function, (invocation.value, invocation.context))
        if is_awaitable(outcome.value):
            outcome = FunctionOutcome(None, _returned_awaitable(outcome.value))
        elif outcome.value is not None:
            outcome.error = run(invocation.context.emit, (outcome.value,)).error
        self._end(invocation, outcome)
        del outcome  # an error's traceback holds this frame

    def _refuse(self, invocation: Invocation, failure: ThreadNotStarted) -> None:
        invocation.context.break_off(failure)
        self._end(invocation, FunctionOutcome(None, failure))

    def _end(self, invocation: Invocation, outcome: FunctionOutcome) -> None:
        invocation.outcome = invocation.context.conclude(outcome)
        self._loop.hand_over(self._on_end, invocation)

    def describe(self, invocation: int) -> str:
        return "nothing runs on the loop"

    def _on_task_thread(self, ask: Callable[[], Any]) -> Any:
        """Keyed state belongs to the task thread; a worker waits for its answer."""
        request: Future[Any] = Future()

        def answer() -> None:
            try:
                request.set_result(ask())
            except Exception as error:
                request.set_exception(error)

        self._requests.add(request)
        try:
            if self._closed:
                request.cancel()
            self._loop.hand_over(answer)
            return request.result()
        finally:
            self._requests.discard(request)

    def close(self, deadline: float) -> list[str]:
        self._closed = True
        for request in list(self._requests):
            request.cancel()
        return self._pool.close(deadline)


def _returned_awaitable(value: Any) -> TypeError:
    if iscoroutine(value):
        value.close()
    return TypeError(
        "the handler returned an awaitable, which nobody awaits: declare it `async def`, and give "
        "durable_process that function itself, not a lambda around it"
    )


class _TaskThreadState:
    def __init__(
        self, backend: StateBackend, on_task_thread: Callable[[Callable[[], Any]], Any]
    ) -> None:
        self._backend = backend
        self._on_task_thread = on_task_thread

    def get(self, name: str) -> bytes | None:
        value: bytes | None = self._on_task_thread(lambda: self._backend.get(name))
        return value

    def names(self) -> list[str]:
        names: list[str] = self._on_task_thread(self._backend.names)
        return names
