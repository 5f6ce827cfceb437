"""A `DurableLoop` that drives itself, so that programs written for asyncio's own loops run on it.

It does what Flink's task thread does for the handlers' loop: it drains after each wake. All that
runs on it is one invocation, whose timers are journaled.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

from bridges import SlotsInMemory, slot_journal

from pyflink_durable.runtime.loop.invocation_tasks import InvocationTasks, invocation_tasks
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask

_numbers = itertools.count(1)


class DrivenLoop(DurableLoop):
    """The handlers' loop with methods that it refuses to handlers, since Flink drives it.

    Attributes:
        problems: What it reported.
        invocation: What runs on it.
    """

    _default_executor = None  # CPython's tests look for one when they close a loop

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._woken = threading.Event()
        self._wakes_at: list[float] = []
        self._stopped = False
        self._task_factory: Callable[..., Any] | None = None
        self._exception_handler: Callable[..., Any] | None = None
        super().__init__(self._woken.set, self._wake_me_at, self.problems.append)
        number = next(_numbers)
        context = FlinkRunnerContext(
            slot_journal(SlotsInMemory(), size=0), subtask=Subtask(loop=self), number=number
        )
        self.invocation = InvocationTasks(number, context)
        invocation_tasks.set(self.invocation)

    # ---------------------------------------------------------------- driving

    def run_forever(self) -> None:
        self._check_may_run()
        try:
            while True:
                self.run_until_idle()
                self.drain()
                self.after_step()
                if self._stopped:
                    break
                self.wait()
        finally:
            self._stopped = False

    def run_until_complete(self, future: Any) -> Any:
        self._check_may_run()
        is_new = not asyncio.isfuture(future)
        future = asyncio.ensure_future(future, loop=self)
        if is_new:
            future._log_destroy_pending = False
        future.add_done_callback(self._stop_after)
        try:
            self.run_forever()
        finally:
            future.remove_done_callback(self._stop_after)
        if not future.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return future.result()

    def _check_may_run(self) -> None:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        if self.is_running():
            raise RuntimeError("This event loop is already running")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")

    def _stop_after(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled() or not isinstance(
            future.exception(), (SystemExit, KeyboardInterrupt)
        ):
            self.stop()

    def stop(self) -> None:
        self._stopped = True

    def after_step(self) -> None:
        """Called when the loop is idle."""

    def wait(self) -> None:
        """Waits for a wake, one that was asked for at once or for a time."""
        due = min(self._wakes_at, default=None)
        self._woken.wait(None if due is None else max(0.0, due - time.time()))
        self._woken.clear()
        now = time.time()
        self._wakes_at = [at for at in self._wakes_at if at > now]

    def _wake_me_at(self, millis: int) -> None:
        self._wakes_at.append(millis / 1000)

    # ---------------------------------------------------------------- what runs is one invocation

    def create_task(self, coro: Any, *, context: Context | None = None, **options: Any) -> Any:
        if context is not None:
            if invocation_tasks not in context:
                context.run(invocation_tasks.set, self.invocation)
            options["context"] = context
        if self._task_factory is not None:
            return self._task_factory(self, coro, **options)
        return super().create_task(coro, **options)

    # ---------------------------------------------------------------- what tests set

    def get_task_factory(self) -> Callable[..., Any] | None:
        return self._task_factory

    def set_task_factory(self, factory: Callable[..., Any] | None) -> None:
        self._task_factory = factory

    def set_exception_handler(self, handler: Callable[..., Any] | None) -> None:
        self._exception_handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._exception_handler is None:
            super().call_exception_handler(context)
            return
        source = context.get("task") or context.get("future") or context.get("handle")
        if hasattr(source, "get_context"):  # since Python 3.12
            source.get_context().run(self._exception_handler, self, context)
        else:
            self._exception_handler(self, context)
