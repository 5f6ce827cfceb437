"""The awaitable that an asynchronous durable call is."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from pyflink_durable.runtime.calls import Call, CallJournal, PlannedCall, replay
from pyflink_durable.runtime.executors import CallExecutor, Outcome
from pyflink_durable.runtime.loop import DurableLoop, invocation_tasks
from pyflink_durable.runtime.planning import Plan


class CallStarter:
    """Starts the asynchronous calls of one invocation.

    Calls start at once; over a journal that takes them one after another, each waits until the
    one before it has ended.

    Args:
        journal: The calls' journal.
        executor: Where they run.
    """

    def __init__(self, journal: CallJournal, executor: CallExecutor) -> None:
        self.journal = journal
        self.executor = executor
        self._in_line: deque[AsyncCall] = deque()

    def start(self, call: AsyncCall) -> None:
        """Starts a call, or puts it in line."""
        if self.journal.concurrent:
            call.begin()
            return
        self._in_line.append(call)
        if len(self._in_line) == 1:
            call.begin()

    def ended(self, call: AsyncCall) -> None:
        """Starts the next in line, where calls are made one after another."""
        if self._in_line and self._in_line[0] is call:
            self._in_line.popleft()
            if self._in_line:
                self._in_line[0].begin()


class AsyncCall(asyncio.Future):  # type: ignore[type-arg]
    """A durable call that starts when it is first awaited.

    It is a future, so that a hundred calls in a `gather` need no task each, and it has the methods
    of a coroutine, so that `create_task` and `TaskGroup` take it.

    Args:
        starter: Starts it.
        call: What to call.
        loop: The loop of the handler.
    """

    def __init__(self, starter: CallStarter, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._starter = starter
        self._call = call
        self._loop_of_handler = loop
        self._started = False
        self._planned: PlannedCall | None = None
        self._steps: Generator[Any, None, Any] | None = None
        self._number: int | None = None

    # ---------------------------------------------------------------- the call

    def _start_once(self) -> None:
        if not self._started:
            self._started = True
            self._starter.start(self)

    def begin(self) -> None:
        """Takes the slot and does what is planned for it."""
        if self.done():  # cancelled while it was in line
            self._starter.ended(self)
            return
        loop = self._loop_of_handler
        try:
            planned = self._planned = self._starter.journal.plan(self._call)
        except Exception as error:
            self.set_exception(error)
            self._starter.ended(self)
            return
        if planned.plan is Plan.REPLAY and planned.found is not None:
            if isinstance(loop, DurableLoop):
                loop.replay_in_turn(planned.found[5], self._replay)
            else:
                loop.call_soon(self._replay)
        elif planned.plan is Plan.RECONCILE and self._call.reconciler is not None:
            self._starter.executor.submit(loop, self._reconciled, self._call.reconciler)
        else:
            self._execute()

    def _execute(self) -> None:
        func, args, kwargs = self._call.func, self._call.args, self._call.kwargs
        self._starter.executor.submit(self._loop_of_handler, self._finish, func, args, kwargs)

    def _reconciled(self, outcome: Outcome) -> None:
        journal = self._starter.journal
        if self.done() or journal.closed or journal.reconciled(outcome):
            self._finish(outcome)
        else:
            self._execute()

    def _finish(self, outcome: Outcome) -> None:
        """Journals the outcome; a call that the handler gave up leaves its slot pending."""
        planned = self._planned
        if not self.done() and planned is not None:
            self._resolve(lambda: self._starter.journal.finish(planned, outcome))
        self._starter.ended(self)

    def _replay(self) -> None:
        planned = self._planned
        if not self.done() and planned is not None:
            self._resolve(lambda: replay(planned))
        self._starter.ended(self)

    def _resolve(self, outcome: Callable[[], Any]) -> None:
        try:
            value = outcome()
        except asyncio.CancelledError:
            self.cancel()
        except StopIteration as error:  # ends a coroutine, so no future takes it
            wrapped = RuntimeError("a durable call raised StopIteration")
            wrapped.__cause__ = error
            self.set_exception(wrapped)
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(value)

    # ---------------------------------------------------------------- as a future

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """Whoever awaits a future adds a callback to it, which starts the call."""
        super().add_done_callback(*args, **kwargs)
        self._start_once()

    def __del__(self) -> None:
        if self._started:
            super().__del__()
        elif not self.cancelled():
            warnings.warn(
                f"the durable call {self._call.identity.function_id} was never awaited, so it "
                "never ran: write `await ctx.durable_execute_async(...)`",
                RuntimeWarning,
                stacklevel=2,
            )

    def __hash__(self) -> int:
        """A set of calls has the same order in each run, see `InvocationTasks`."""
        if self._number is None:
            tasks = invocation_tasks.get()
            self._number = id(self) if tasks is None else tasks.next_number()
        return self._number

    # ---------------------------------------------------------------- as a coroutine

    def send(self, value: None) -> Any:
        """One step of a task around this call."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """An exception thrown into a task around this call, such as its cancellation."""
        if self._steps is None:
            self._steps = self.__await__()
            self.cancel()  # the task was cancelled before it had begun, so this never runs
        return self._steps.throw(*error)

    def close(self) -> None:
        """The task around this call is gone."""
        self.cancel()
