"""Runs handlers: ``async def`` on the event loop, ``def`` on worker threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from concurrent.futures import Future
from contextvars import copy_context
from inspect import iscoroutine
from typing import Any, Protocol

from pyflink_durable.checks.arguments import is_awaitable
from pyflink_durable.errors import ThreadNotStarted
from pyflink_durable.handler import HandlerFunction
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import Outcome, run
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.journal.access import JournalAccess, SlotJournal
from pyflink_durable.runtime.journal.step_journal import JournalWrites, StepJournal
from pyflink_durable.runtime.loop.anyio_scopes import order_cancel_scopes
from pyflink_durable.runtime.loop.invocation_tasks import (
    InvocationTasks,
    NumberedTask,
    invocation_tasks,
)
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.user_state import StateBackend
from pyflink_durable.runtime.telemetry.telemetry import Telemetry


class Invocation(InvocationTasks):
    """One run of the handler for one input, with the tasks that it has started.

    Attributes:
        id: Its number in this attempt of the subtask.
        value: The input, which is the handler's.
        input: The input as it came, where a dead letter may need it.
        outcome: How the handler ended.
        task: The task that runs it.
        parked: Whether it is dropped, to be run again later: nobody is told how it ended.
    """

    __slots__ = ("id", "input", "outcome", "parked", "task", "value")

    context: FlinkRunnerContext

    def __init__(self, number: int, value: Any, context: FlinkRunnerContext) -> None:
        super().__init__(number, context)
        self.id = number
        self.value = value
        self.input: Any = None
        self.outcome: Outcome | None = None
        self.task: asyncio.Task[None] | None = None
        self.parked = False


OnEnd = Callable[[Invocation], None]


class HandlerRunner(Protocol):
    """Starts handlers; each is handed to `on_end` on the task thread when it has ended."""

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        """The journal of an invocation, writable from where the handler runs."""

    def state_of(self, backend: StateBackend) -> StateBackend:
        """The state of a key, readable from where the handler runs."""

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        """How many calls were made in this step, and journal writes that wait for its end."""

    def begin_report(self) -> None:
        """The journal writes that the last report left out are not asked for any more."""

    def forget(self, invocation: Invocation) -> None:
        """Leaves out the journal writes of an invocation that has ended."""

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        """The journal writes that the last report left out, of these invocations."""

    def start(self, invocation: Invocation, function: HandlerFunction | None = None) -> None:
        """Starts a handler; called on the task thread.

        Args:
            invocation: What it is run for.
            function: That of another version, in place of the runner's own.
        """

    def park(self, invocations: Iterable[int]) -> list[int]:
        """Drops handlers that wait, as far as they let themselves be; gives those."""

    def describe(self, invocation: int) -> str:
        """Names an invocation that runs on the loop, in log lines; called on any thread."""

    def close(self, deadline: float) -> list[str]:
        """Gives up what runs; the names of threads that still do at the deadline."""


class AsyncHandlerRunner:
    """Runs ``async def`` handlers as tasks of the event loop."""

    def __init__(
        self, function: HandlerFunction, loop: DurableLoop, telemetry: Telemetry, on_end: OnEnd
    ) -> None:
        self._function = function
        self._loop = loop
        self._telemetry = telemetry
        self._on_end = on_end
        self._running: dict[int, Invocation] = {}
        self._closed = False
        self._writes = JournalWrites()
        order_cancel_scopes(DurableLoop)

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        return StepJournal(bridge, invocation, size=size, writes=self._writes)

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        return self._writes.take()

    def begin_report(self) -> None:
        self._writes.begin_report()

    def forget(self, invocation: Invocation) -> None:
        self._writes.forget(invocation.id)

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        return self._writes.keep(invocations)

    def state_of(self, backend: StateBackend) -> StateBackend:
        return backend

    def start(self, invocation: Invocation, function: HandlerFunction | None = None) -> None:
        run, number = self._run(invocation, function or self._function), invocation.first_number
        invocation.task = NumberedTask(run, number=number, loop=self._loop)
        self._running[invocation.id] = invocation

    def park(self, invocations: Iterable[int]) -> list[int]:
        parked = []
        for number in invocations:
            invocation = self._running.get(number)
            if invocation is None or invocation.context.is_kept_awake:
                continue
            invocation.parked = True
            invocation.context.end()  # a `finally` block makes no more calls
            assert invocation.task is not None
            invocation.task.cancel()
            parked.append(number)
        self._loop.run_until_idle()  # `finally` blocks of handlers run here
        return parked

    def describe(self, invocation: int) -> str:
        running = self._running.get(invocation)
        return "an invocation that has ended" if running is None else running.context.describe()

    async def _run(self, invocation: Invocation, function: HandlerFunction) -> None:
        invocation_tasks.set(invocation)  # for this task and those it starts
        invocation.context.settle(self._loop)
        try:
            coroutine: Coroutine[Any, Any, Any] = function(invocation.value, invocation.context)
            result = await coroutine
            if result is not None:
                invocation.context.emit(result)
            outcome = Outcome(result, None)
        except GeneratorExit as error:  # nothing can be awaited here any more
            self._end(invocation, Outcome(None, error))
            return
        except BaseException as error:  # asyncio would keep it to itself, or end the loop
            outcome = Outcome(None, error)
        winds_up = bool(invocation.running or invocation.generators)
        while winds_up:
            winds_up = False
            try:
                outcome = await self._wind_up(invocation, outcome)
            except asyncio.CancelledError as error:
                # a handler that cancelled its own task is told so at the next wait, which is here
                winds_up = not self._closed
                outcome = outcome if winds_up else Outcome(None, error)
            except GeneratorExit as error:
                outcome = Outcome(None, error)
        self._end(invocation, outcome)
        del outcome  # an error's traceback holds this frame, which held the error

    def _end(self, invocation: Invocation, outcome: Outcome) -> None:
        invocation.task = None  # which holds the handler's coroutine, and so the invocation
        self._running.pop(invocation.id, None)
        if invocation.parked:
            invocation.context.tell_parked()
        else:
            invocation.outcome = invocation.context.conclude(outcome)
            self._on_end(invocation)

    async def _wind_up(self, invocation: Invocation, outcome: Outcome) -> Outcome:
        """Ends what the handler has left: tasks are cancelled, asynchronous generators closed."""
        errors: list[BaseException] = []
        generators = invocation.generators
        left = [
            task
            for task in invocation.running or ()
            if not (task.done() or (generators is not None and generators.is_closing(task)))
        ]
        if left:
            await self._abandon(invocation, left)
        if generators is not None:
            errors = await generators.close_all()
            invocation.generators = None
        if errors and outcome.error is None:  # what was to be cleaned up is not
            outcome = Outcome(None, errors.pop(0))
        for error in errors:
            message = "an asynchronous generator failed while it was closed"
            self._loop.call_exception_handler({"message": message, "exception": error})
        if left or generators is not None:  # those that were ended may have left others
            return await self._wind_up(invocation, outcome)
        return outcome

    async def _abandon(self, invocation: Invocation, started: list[asyncio.Task[Any]]) -> None:
        if not invocation.parked:
            self._telemetry.count("abandoned", len(started))
            self._telemetry.warning(
                f"key={invocation.context.key!r} tasks={len(started)} the handler ended before "
                "tasks that it had started; they are cancelled. Await them, or use "
                "asyncio.TaskGroup"
            )
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)

    def close(self, deadline: float) -> list[str]:
        self._closed = True
        for invocation in self._running.values():
            invocation.context.end()  # a `finally` block makes no more calls
            assert invocation.task is not None
            invocation.task.cancel()
        self._loop.run_out()  # `finally` blocks of handlers run here
        return []


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

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        return SlotJournal(bridge, invocation, size=size)

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        return 0, ()

    def begin_report(self) -> None:
        """Nothing waits: a worker writes at once, a snapshot may be taken at any time."""

    def forget(self, invocation: Invocation) -> None:
        """As above."""

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        return ()

    def park(self, invocations: Iterable[int]) -> list[int]:
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
            outcome = Outcome(None, _returned_awaitable(outcome.value))
        elif outcome.value is not None:
            outcome.error = run(invocation.context.emit, (outcome.value,)).error
        self._end(invocation, outcome)
        del outcome  # an error's traceback holds this frame

    def _refuse(self, invocation: Invocation, failure: ThreadNotStarted) -> None:
        invocation.context.break_off(failure)
        self._end(invocation, Outcome(None, failure))

    def _end(self, invocation: Invocation, outcome: Outcome) -> None:
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
