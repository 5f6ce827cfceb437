"""An invocation as the runtime sees it: the half of a context that handlers do not use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from threading import get_ident
from typing import Any, TypeVar

from pyflink_durable.batch import CallPool
from pyflink_durable.context import RunnerContext
from pyflink_durable.current_call import running_call
from pyflink_durable.errors import JournalMismatch
from pyflink_durable.runtime.calls.async_call import CallLine
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.journal.bridge import Bridge
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.cancellation import Cancellation
from pyflink_durable.runtime.journal.clock import InvocationClock
from pyflink_durable.runtime.journal.cursor_journal import CursorJournal
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal.timers import DurableTimers
from pyflink_durable.runtime.journal.unmade import not_awaited, to_be_awaited
from pyflink_durable.runtime.loop.invocation_tasks import invocation_tasks
from pyflink_durable.runtime.operator.handler_place import check_place, loop_of_handler
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.operator.user_state import UserState
from pyflink_durable.runtime.telemetry.telemetry import Telemetry
from pyflink_durable.runtime.values import Emission
from pyflink_durable.tool_options import ToolCallOptions

T = TypeVar("T")


class InvocationContext(RunnerContext):
    """What the runtime asks of an invocation, and what all of its context stands on.

    Args:
        bridge: The journal: an object with the six methods of `Bridge`, or slot-wise access.
        executor: Where asynchronous calls run, or where those of each pool do; by default on
            threads of its own.
        subtask: What it shares with other invocations, executors included: in place of `executor`.
        identity: The invocation's.
        number: The invocation's number in this attempt of the subtask.
        timestamp: The event time of the input in milliseconds, None if it has none.
    """

    # of an invocation that makes one call most are never set
    _state: UserState | None = None
    _line: CallLine | None = None
    _outputs: list[Emission] | None = None
    _awake = 0
    _cancellation: Cancellation | None = None

    def __init__(
        self,
        bridge: Bridge | JournalAccess,
        executor: CallExecutor | Mapping[CallPool, CallExecutor] | None = None,
        *,
        subtask: Subtask | None = None,
        identity: InvocationIdentity | None = None,
        number: int = 0,
        timestamp: int | None = None,
    ) -> None:
        if subtask is None:  # nor is there a task that a mismatch could fail
            subtask = Subtask(executor, on_mismatch="clear")
        access = bridge if isinstance(bridge, JournalAccess) else CursorJournal(bridge)
        self._subtask = subtask
        self._identity = identity or InvocationIdentity()
        self._calls = CallJournal(access, self._identity, number, subtask)
        self._number = number
        self._timestamp = timestamp
        if not access.concurrent:
            self._line = CallLine()

    @property
    def telemetry(self) -> Telemetry:
        """Where to count and log."""
        return self._subtask.telemetry

    @property
    def tool_call_options(self) -> ToolCallOptions | None:
        """How `pyflink_durable.tools.call_tools` makes the calls of a request."""
        return self._subtask.tool_call_options

    def to_be_awaited(
        self, name: str, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> Coroutine[Any, Any, T]:
        """A coroutine that the handler fails without, see `unmade`."""
        return to_be_awaited(self._calls.unmade, name, make)

    def emit(self, value: Any) -> None:
        """Takes a value for the main output: what the handler returns, too.

        It is emitted when the handler is done; what becomes of the object until then is nothing
        to the output.

        Raises:
            TypeError: It does not fit the declared type.
            OverflowError: A number in it is too large for the declared type.
        """
        self._add_output(self._subtask.outputs.main(value, self._identity.describe))

    @property
    def outputs(self) -> Sequence[Emission]:
        """What the handler has emitted."""
        return self._outputs or ()

    def settle(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The handler runs on this thread and on this loop; None for a ``def`` handler."""
        self._calls.thread, self._calls.loop = get_ident(), loop
        self._subtask.observer.invocation_started(self._identity, self._calls.replaying)
        waits, task = self._subtask.signals, asyncio.current_task() if loop is not None else None
        if waits is not None and task is not None:
            hold = self._subtask.call_options.outcome_hold
            at = (self._calls, self._number, waits, loop, task)
            self._cancellation = Cancellation(*at, hold)
            self._cancellation.begin()

    @property
    def cancelled(self) -> str | None:
        """Why a signal has cancelled the invocation; None if none has."""
        return None if self._cancellation is None else self._cancellation.reason

    @property
    def identity(self) -> InvocationIdentity:
        """What tells the invocation from all others."""
        return self._identity

    def describe(self) -> str:
        """Names the invocation in log lines."""
        return self._identity.describe()

    @property
    def slots(self) -> int:
        """How many slots of the journal the handler has used."""
        return self._calls.size

    @property
    def is_kept_awake(self) -> bool:
        """Whether it must not be dropped: by the handler's word, or for a signal on its way."""
        waits = self._subtask.signals
        return self._awake > 0 or (waits is not None and waits.is_to_look(self._number))

    @property
    def awaited_signals(self) -> tuple[str, ...]:
        """The names of the signals that it waits for."""
        waits = self._subtask.signals
        return () if waits is None else waits.names_of(self._number)

    @property
    def broken(self) -> BaseException | None:
        """Why the invocation fails its task, whatever its handler does; None if it need not."""
        return self._calls.broken

    def break_off(self, reason: BaseException) -> None:
        """Has the invocation fail its task."""
        self._calls.break_off(reason)

    def conclude(self, outcome: FunctionOutcome) -> FunctionOutcome:
        """The end of the invocation, given that of its handler."""
        if self._cancellation is not None:
            self._cancellation.end()
        outcome = self._conclude(outcome)
        self._subtask.observer.invocation_ended(self._identity, outcome.error)
        return outcome

    def tell_parked(self) -> None:
        """This run has ended, as by a cancellation; the invocation has not."""
        self._subtask.observer.invocation_ended(self._identity, asyncio.CancelledError())

    def _conclude(self, outcome: FunctionOutcome) -> FunctionOutcome:
        if outcome.error is not None:
            return outcome
        if self._calls.broken is not None:
            return FunctionOutcome(None, self._calls.broken)
        error = self.check_left() or not_awaited(self._calls.unmade)
        return outcome if error is None else FunctionOutcome(None, error)

    def check_left(self) -> JournalMismatch | None:
        """Why the invocation fails its task if its handler ends here, None if it need not."""
        try:
            self._calls.check_left()
        except JournalMismatch as error:
            return error
        return None

    def end(self) -> dict[str, bytes | None]:
        """Takes no more calls; gives what the handler has written to its state."""
        self._calls.close()
        if self._cancellation is not None:
            self._cancellation.end()
        return {} if self._state is None else self._state.take_writes()

    @property
    def clock(self) -> InvocationClock:
        """The clock of the handler."""
        return self._calls.clock

    def timers(self) -> DurableTimers:
        """The timers of the handler."""
        return DurableTimers(self._calls, self._subtask.call_options.outcome_hold)

    # ---------------------------------------------------------------- for its other half

    def _add_output(self, emission: Emission) -> None:
        if self._outputs is None:
            self._outputs = []
        self._outputs.append(emission)

    def _running_loop(self, what: str) -> asyncio.AbstractEventLoop | None:
        """See `loop_of_handler`."""
        loop = self._subtask.loop
        if loop is not None and loop.runs_here():
            tasks = invocation_tasks.get()
            if tasks is None or tasks.context is self:
                return loop
        return loop_of_handler(self._calls, loop, what)

    def _check_place(self, what: str) -> asyncio.AbstractEventLoop | None:
        """As `_running_loop`; what is neither a call nor a part of one is refused in calls, too."""
        if running_call.get() is not None or self._calls.closed:
            check_place(self._calls, self._subtask.loop, what)
        return self._running_loop(what)
