"""Runs ``async def`` handlers on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from typing import Any

from pyflink_durable.handler import HandlerFunction
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.access import JournalAccess, SlotJournal
from pyflink_durable.runtime.journal.times import NEVER, due_in
from pyflink_durable.runtime.journal.writes import JournalWrites
from pyflink_durable.runtime.loop.anyio_scopes import order_cancel_scopes
from pyflink_durable.runtime.loop.invocation_tasks import NumberedTask, invocation_tasks
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation, OnEnd
from pyflink_durable.runtime.operator.user_state import StateBackend
from pyflink_durable.runtime.telemetry.telemetry import Telemetry

_SOON = 1.0
"""Seconds: one that goes on before is not worth being parked."""


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

    def runner_of(self, function: HandlerFunction) -> HandlerRunner:
        return self

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        return SlotJournal(bridge, invocation, size=size, write=self._writes.add)

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

    def park(self, invocations: Iterable[int]) -> list[Any]:
        parked: list[Any] = []
        soon = due_in(_SOON)
        for number in invocations:
            invocation = self._running.get(number)
            if invocation is None or invocation.context.is_kept_awake:
                continue
            signals = invocation.context.awaited_signals
            due = None if invocation.waits is None else invocation.waits.earliest()
            if (due is None and not signals) or (due is not None and due < soon):
                continue
            invocation.parked = True
            invocation.context.end()  # a `finally` block makes no more calls
            assert invocation.task is not None
            invocation.task.cancel()
            parked += (number, NEVER if due is None else due, signals)
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
            outcome = FunctionOutcome(result, None)
        except GeneratorExit as error:  # nothing can be awaited here any more
            self._end(invocation, FunctionOutcome(None, error))
            return
        except BaseException as error:  # asyncio would keep it to itself, or end the loop
            outcome = FunctionOutcome(None, error)
        winds_up = bool(invocation.running or invocation.generators)
        while winds_up:
            winds_up = False
            try:
                outcome = await self._wind_up(invocation, outcome)
            except asyncio.CancelledError as error:
                # a handler that cancelled its own task is told so at the next wait, which is here
                winds_up = not self._closed
                outcome = outcome if winds_up else FunctionOutcome(None, error)
            except GeneratorExit as error:
                outcome = FunctionOutcome(None, error)
        self._end(invocation, outcome)
        del outcome  # an error's traceback holds this frame, which held the error

    def _end(self, invocation: Invocation, outcome: FunctionOutcome) -> None:
        invocation.task = None  # which holds the handler's coroutine, and so the invocation
        invocation.waits = None  # their handles' contexts hold the invocation
        self._running.pop(invocation.id, None)
        if invocation.parked:
            invocation.context.tell_parked()
        else:
            invocation.outcome = invocation.context.conclude(outcome)
            self._on_end(invocation)

    async def _wind_up(self, invocation: Invocation, outcome: FunctionOutcome) -> FunctionOutcome:
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
            outcome = FunctionOutcome(None, errors.pop(0))
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
