"""The awaitable that an asynchronous durable call is."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextvars import Context, copy_context
from typing import Any

from pyflink_durable.batch import CallPool
from pyflink_durable.errors import NotInInvocation
from pyflink_durable.runtime.calls.life import Life, give_up, live
from pyflink_durable.runtime.calls.steps import Step, WaitForTurn
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.call import Call, CallProgress, PlannedCall
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.call_site import site_on_the_stack
from pyflink_durable.runtime.journal.holds import Hold
from pyflink_durable.runtime.loop.invocation_tasks import invocation_tasks, number_of
from pyflink_durable.runtime.loop.loop import DurableLoop

_add_done_callback = asyncio.Future.add_done_callback


class CallLine:
    """The calls over a journal that takes them one after another.

    Each begins when the one before it has ended.
    """

    def __init__(self) -> None:
        self._calls: deque[AsyncCall] = deque()

    def enter(self, call: AsyncCall) -> None:
        """Puts a call at the end of the line."""
        self._calls.append(call)
        if len(self._calls) == 1:
            call.begin()

    def ended(self, call: AsyncCall) -> None:
        """Has the next call begin, if this one was up."""
        if self._calls and self._calls[0] is call:
            self._calls.popleft()
            if self._calls:
                self._calls[0].begin()


class AsyncCall(asyncio.Future):  # type: ignore[type-arg]
    """A durable call that starts when it is first awaited; drives the call's life on the loop.

    It is a future, so that a hundred calls in a `gather` need no task each, and it has the methods
    of a coroutine, so that `create_task` and `TaskGroup` take it. As that of a coroutine, its
    context is that of whoever awaits it; what its function sets there is its own.

    Args:
        journal: The journal of its invocation.
        executors: Where calls run.
        call: What to call.
        loop: The loop of the handler.
        line: Where it waits for its turn; None if calls may be made side by side.

    Attributes:
        planned: The call with its slot, once it has begun.
        broken: Whether its error is no outcome of the call: the runtime could not do its part. The
            journal does not hold it, and a replay would give something else.
    """

    __slots__ = (
        "_call",
        "_context",
        "_executors",
        "_journal",
        "_life",
        "_line",
        "_number",
        "_progress",
        "_started",
        "_steps",
        "broken",
        "planned",
    )

    def __init__(
        self,
        journal: CallJournal,
        executors: Mapping[CallPool, CallExecutor],
        call: Call,
        loop: asyncio.AbstractEventLoop,
        line: CallLine | None = None,
    ) -> None:
        super().__init__(loop=loop)
        self._journal = journal
        self._executors = executors
        self._call = call
        self._line = line
        self._started = False
        self.planned: PlannedCall | None = None
        self.broken = False
        self._context: Context | None = None
        self._progress: CallProgress | None = None
        self._life: Life | None = None
        self._steps: Generator[Any, None, Any] | None = None
        self._number: int | None = None

    # ---------------------------------------------------------------- the call

    def track(self) -> None:
        """Has the call tell how far it has come, if it has not begun yet."""
        if not self._started:
            self._progress = CallProgress()

    def begin(self) -> None:
        """Takes the slot and does what is planned for it."""
        if self.done():  # cancelled while it was in line
            self._leave_line()
            return
        try:
            planned = self._journal.plan(self._call)
        except Exception as error:
            self._break(error)
        else:
            self._live(planned)

    def begin_planned(self, planned: PlannedCall, context: Context) -> None:
        """As `begin`, for a call that has its slot, and whose context is not that of who asks."""
        self._started = True
        self._context = context
        self._live(planned)

    def _live(self, planned: PlannedCall) -> None:
        if self._progress is not None:
            planned.progress = self._progress
        self.planned = planned
        self._life = live(self._journal, planned)
        self._advance(None)

    def _advance(self, sent: Any) -> None:
        """Lets the life go on with what it has waited for, until it waits again or ends."""
        life = self._life
        if life is None:  # the handler has given the call up
            return
        try:
            step = life.send(sent)
        except StopIteration as end:
            self._resolve(end.value)
        except Exception as error:
            self._break(error)
        else:
            self._take(step)

    def _take(self, step: Step) -> None:
        loop: asyncio.AbstractEventLoop = self._loop
        if isinstance(step, Execution):
            assert self._context is not None
            step.context = self._context.copy()
            self._executors[self._call.pool].submit(step, self._report)
        elif isinstance(step, Hold):
            step.on_release(self._advance)
        elif isinstance(step, WaitForTurn):
            if isinstance(loop, DurableLoop):
                loop.replay_in_turn(step.completion, lambda: self._advance(None))
            else:
                loop.call_soon(self._advance, None)
        elif isinstance(loop, DurableLoop):
            assert self._context is not None  # an attempt that failed may have brought it here
            tasks = self._context.get(invocation_tasks)
            loop.wake_up_at(step.due, lambda: self._advance(None), of=tasks)
        else:
            loop.call_later(max(0.0, step.due / 1000 - time.time()), self._advance, None)

    def _report(self, outcome: FunctionOutcome) -> None:
        """Takes the outcome of an execution, on any thread."""
        loop: asyncio.AbstractEventLoop = self._loop
        if isinstance(loop, DurableLoop):
            loop.hand_over(self._advance, outcome)
            return
        try:
            loop.call_soon_threadsafe(self._advance, outcome)
        except RuntimeError:
            if not loop.is_closed():
                raise

    def _break(self, error: Exception) -> None:
        self.broken = True
        self._resolve(FunctionOutcome(None, error))

    def _resolve(self, outcome: FunctionOutcome) -> None:
        self._life = self._context = None
        error = outcome.error
        if error is None:
            self.set_result(outcome.value)
        elif isinstance(error, asyncio.CancelledError):
            self.cancel()
        elif isinstance(error, StopIteration):  # ends a coroutine, so no future takes it
            wrapped = RuntimeError("a durable call raised StopIteration")
            wrapped.__cause__ = error
            self.set_exception(wrapped)
        else:
            self.set_exception(error)
        self._leave_line()

    def _leave_line(self) -> None:
        if self._line is not None:
            self._line.ended(self)

    # ---------------------------------------------------------------- as a future

    def cancel(self, msg: Any | None = None) -> bool:
        """The handler gives the call up: if its function has not begun, it never does."""
        if not self._started:
            self._journal.unmade.pop(id(self._call), None)
        cancelled = super().cancel(msg)
        life, self._life = self._life, None
        if life is not None:
            self._context = None
            give_up(life)
            self._leave_line()
        return cancelled

    def add_done_callback(
        self, callback: Callable[[Any], object], /, *, context: Context | None = None
    ) -> None:
        """Whoever awaits a future adds a callback to it, which starts the call.

        Raises:
            NotInInvocation: It is the handler of another invocation.
        """
        self._check_awaiter()
        _add_done_callback(self, callback, context=context)
        if not self._started:
            self._started = True
            self._journal.unmade.pop(id(self._call), None)
            self._context = copy_context()
            if self._line is None:
                self.begin()
            else:
                self._line.enter(self)

    def _check_awaiter(self) -> None:
        """Another invocation would go on by what stands in the journal of this one only."""
        tasks = invocation_tasks.get()
        if tasks is None or tasks.context is None or tasks.context.clock is self._journal.clock:
            return
        error = NotInInvocation(
            f"the call {self._call.identity.shown} of the invocation "
            f"({self._journal.identity.describe()}) was awaited at {site_on_the_stack()} by "
            f"another one ({tasks.context.describe()}), in whose journal it is not, so that a "
            "replay would miss it. Make the call with the ctx of the handler that awaits it"
        )
        loop: asyncio.AbstractEventLoop = self._loop
        if isinstance(loop, DurableLoop):
            self._started = True  # nobody is told of it once more
            loop.fail(error)  # a task whose await fails this way would wait for ever
        raise error

    def __del__(self) -> None:
        if self._started:
            super().__del__()
        elif not self.cancelled():
            warnings.warn(
                f"the durable call {self._call.identity.shown} was never awaited, so it "
                "never ran: write `await ctx.durable_execute_async(...)`",
                RuntimeWarning,
                stacklevel=2,
            )

    def __hash__(self) -> int:
        """A set of calls has the same order in each run, see `InvocationTasks`."""
        if self._number is None:
            self._number = number_of(self)
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
