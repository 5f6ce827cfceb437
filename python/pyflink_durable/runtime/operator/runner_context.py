"""The context of a handler that runs over a journal."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from random import Random
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from pyflink_durable.batch import CallPool, DurableCall, Outcomes, check_batch
from pyflink_durable.call_options import GivenOptions
from pyflink_durable.checks.arguments import (
    check_reconciler,
    check_seconds,
    without_infinity,
)
from pyflink_durable.checks.keywords import check_keywords
from pyflink_durable.context import RunnerContext
from pyflink_durable.current_call import running_call
from pyflink_durable.errors import DurableExecutionError, JournalMismatch, NestedDurableCall
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.runtime.batches.async_batch import gather, run_batch
from pyflink_durable.runtime.batches.blocking_batch import run_batch_blocking, run_batch_on_the_loop
from pyflink_durable.runtime.calls.async_call import AsyncCall, CallLine
from pyflink_durable.runtime.calls.blocking_call import (
    check_ordinary,
    may_be_interrupted,
    run_blocking,
    run_on_the_loop,
)
from pyflink_durable.runtime.calls.life import live
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import Outcome
from pyflink_durable.runtime.journal.access import CursorJournal, JournalAccess
from pyflink_durable.runtime.journal.bridge import Bridge
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.call_options import without_waiting
from pyflink_durable.runtime.journal.clock import InvocationClock
from pyflink_durable.runtime.journal.current_time import read_time
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal.signals import (
    SignalWaits,
    pending_signals,
    wait_for_signal,
)
from pyflink_durable.runtime.journal.timers import DurableTimers
from pyflink_durable.runtime.journal.unmade import not_awaited, to_be_awaited
from pyflink_durable.runtime.loop.invocation_tasks import invocation_tasks
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.handler_place import check_place, loop_of_handler
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.operator.user_state import UserState
from pyflink_durable.runtime.telemetry.handler_log import HandlerLogger
from pyflink_durable.runtime.telemetry.telemetry import Telemetry
from pyflink_durable.runtime.values import Emission
from pyflink_durable.signals import Signal, check_signal_name
from pyflink_durable.tool_options import ToolCallOptions

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag

T = TypeVar("T")


class FlinkRunnerContext(RunnerContext):
    """Makes each call over the journal of its invocation.

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
    _random: Random | None = None
    _uuids: Random | None = None
    _outputs: list[Emission] | None = None
    _awake = 0
    _logger: HandlerLogger | None = None

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

    # ---------------------------------------------------------------- what a handler sees

    @property
    def key(self) -> Any:
        return copy_of(self._identity.key)  # idempotency keys are made of it

    @property
    def timestamp(self) -> int | None:
        return self._timestamp

    @property
    def state(self) -> MutableMapping[str, Any]:
        if self._state is None:
            backend = self._subtask.state_of(self._number)
            check = partial(check_place, self._calls, self._subtask.loop, "state")
            self._state = UserState(
                backend, check, self._subtask.payloads, self._identity, self._calls.break_off
            )
        return self._state

    @property
    def is_replaying(self) -> bool:
        return self._calls.replaying

    @property
    def logger(self) -> HandlerLogger:
        if self._logger is None:
            self._logger = HandlerLogger(
                self._subtask.telemetry.handler_logger, self._identity, self._calls
            )
        return self._logger

    def collect(self, value: Any) -> None:
        self._check_place("collect")
        self.emit(value)

    def output(self, tag: OutputTag, value: Any) -> None:
        if not hasattr(tag, "tag_id"):
            raise TypeError(f"ctx.output takes an OutputTag first, not {type(tag).__name__}")
        self._check_place("output")
        emission = self._subtask.outputs.side(tag.tag_id, value, self._identity.describe)
        if emission is not None:
            self._add_output(emission)

    def _add_output(self, emission: Emission) -> None:
        if self._outputs is None:
            self._outputs = []
        self._outputs.append(emission)

    def sleep(self, seconds: float) -> Awaitable[None]:
        if self._check_place("sleep") is None:
            raise DurableExecutionError(
                "ctx.sleep needs an event loop, that is an `async def` handler; a pause on the "
                "thread of a `def` handler would start over after a failure"
            )
        return self.to_be_awaited("ctx.sleep", partial(asyncio.sleep, seconds))

    def wait_for_signal(self, name: str, timeout: float | None = None) -> Awaitable[Any]:
        loop, waits = self._signals("wait_for_signal", name)
        check_seconds("timeout", timeout)
        hold = self._subtask.call_options.outcome_hold
        return self.to_be_awaited(
            "ctx.wait_for_signal",
            partial(wait_for_signal, self._calls, self._number, waits, loop, name, timeout, hold),
        )

    def pending_signals(self, name: str) -> list[Signal]:
        _, waits = self._signals("pending_signals", name)
        return pending_signals(self._calls, self._number, waits, name)

    def stay_awake(self) -> AbstractAsyncContextManager[None]:
        self._check_place("stay_awake")
        return _Awake(self)

    def _signals(self, what: str, name: str) -> tuple[DurableLoop, SignalWaits]:
        loop, waits = self._check_place(what), self._subtask.signals
        check_signal_name(name)
        if waits is None:
            raise DurableExecutionError(
                f"ctx.{what} needs an operator with signals: durable_process(..., signals=stream)"
            )
        if not isinstance(loop, DurableLoop):
            raise DurableExecutionError(
                f"ctx.{what} needs an event loop, that is an `async def` handler; a wait on the "
                "thread of a `def` handler would hold the thread"
            )
        return loop, waits

    def now(self) -> datetime:
        self._check_place("now()")
        return read_time(self._calls)

    def uuid4(self) -> UUID:
        self._check_place("uuid4()")
        if self._uuids is None:
            self._uuids = Random(self._identity.digest("uuid4"))
        return UUID(int=self._uuids.getrandbits(128), version=4)

    @property
    def random(self) -> Random:
        self._check_place("random")
        if self._random is None:
            self._random = Random(self._identity.digest("random"))
        return self._random

    def _execute(
        self,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> T:
        reconciler, durable_id, durability, in_doubt, retry, timeout, result_type, identity = given
        self._check_call(func, reconciler)
        check_ordinary(func, reconciler)
        loop = self._running_loop("durable_execute")
        options = self._subtask.call_options.of(
            reconciler is not None,
            durability,
            in_doubt,
            retry,
            timeout,
            None if by_options else func,
            result_type,
            identity,
        )
        if kwargs:
            check_keywords(func, kwargs)
        if loop is not None:
            options = without_waiting(options, func, retry, timeout)
        call = Call.of(func, args, kwargs, reconciler, durable_id, options)
        planned = self._calls.plan(call)
        if loop is None:
            executor = self._subtask.executors["calls"]
            outcome = run_blocking(live(self._calls, planned), executor)
        else:
            life = live(self._calls, planned, announced=may_be_interrupted(loop))
            outcome = run_on_the_loop(life, loop)
        if outcome.error is not None:
            try:
                raise outcome.error
            finally:
                del outcome  # the error's traceback holds this frame
        return outcome.value  # type: ignore[no-any-return]

    def _execute_async(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> Awaitable[Any]:
        reconciler, durable_id, durability, in_doubt, retry, timeout, result_type, identity = given
        self._check_call(func, reconciler)
        loop = self._running_loop("durable_execute_async")
        if loop is None:
            raise DurableExecutionError(
                "ctx.durable_execute_async needs an event loop, that is an `async def` handler; in "
                "a `def` handler call ctx.durable_execute(...), which blocks nothing but its thread"
            )
        options = self._subtask.call_options.of(
            reconciler is not None,
            durability,
            in_doubt,
            retry,
            timeout,
            None if by_options else func,
            result_type,
            identity,
        )
        if kwargs:
            check_keywords(func, kwargs)
        call = Call.of(func, args, kwargs, reconciler, durable_id, options)
        self._calls.unmade[id(call)] = call
        return AsyncCall(self._calls, self._subtask.executors, call, loop, self._line)

    def durable_execute_all_async(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Outcomes]:
        loop = self._check_place("durable_execute_all_async")
        batch = self._batch_of(check_batch(calls, max_parallelism, timeout))
        timeout = without_infinity(timeout)
        if loop is None:
            raise DurableExecutionError(
                "ctx.durable_execute_all_async needs an event loop, that is an `async def` "
                "handler; in a `def` handler call ctx.durable_execute_all(...)"
            )
        executors = self._subtask.executors
        return self.to_be_awaited(
            "ctx.durable_execute_all_async",
            partial(run_batch, self._calls, executors, self._line, batch, max_parallelism, timeout),
        )

    def durable_execute_all(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        loop = self._check_place("durable_execute_all")
        batch = self._batch_of(check_batch(calls, max_parallelism, timeout))
        timeout = without_infinity(timeout)
        if loop is None:
            return run_batch_blocking(
                self._calls, batch, self._subtask.executors, max_parallelism, timeout
            )
        return run_batch_on_the_loop(self._calls, batch, timeout, loop)

    def gather(self, *awaitables: Awaitable[Any]) -> Awaitable[Outcomes]:
        return self.to_be_awaited("ctx.gather", partial(gather, awaitables))

    # ---------------------------------------------------------------- what the runtime sees

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
    def broken(self) -> BaseException | None:
        """Why the invocation fails its task, whatever its handler does; None if it need not."""
        return self._calls.broken

    def break_off(self, reason: BaseException) -> None:
        """Has the invocation fail its task."""
        self._calls.break_off(reason)

    def conclude(self, outcome: Outcome) -> Outcome:
        """The end of the invocation, given that of its handler."""
        outcome = self._conclude(outcome)
        self._subtask.observer.invocation_ended(self._identity, outcome.error)
        return outcome

    def tell_parked(self) -> None:
        """This run has ended, as by a cancellation; the invocation has not."""
        self._subtask.observer.invocation_ended(self._identity, asyncio.CancelledError())

    def _conclude(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None:
            return outcome
        if self._calls.broken is not None:
            return Outcome(None, self._calls.broken)
        error = self.check_left() or not_awaited(self._calls.unmade)
        return outcome if error is None else Outcome(None, error)

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
        return {} if self._state is None else self._state.take_writes()

    @property
    def clock(self) -> InvocationClock:
        """The clock of the handler."""
        return self._calls.clock

    def timers(self) -> DurableTimers:
        """The timers of the handler."""
        return DurableTimers(self._calls, self._subtask.call_options.outcome_hold)

    def _running_loop(self, what: str) -> asyncio.AbstractEventLoop | None:
        """See `loop_of_handler`."""
        loop = self._subtask.loop
        if loop is not None and loop.runs_here():
            tasks = invocation_tasks.get()
            if tasks is None or tasks.context is self:
                return loop
        return loop_of_handler(self._calls, loop, what)

    def _batch_of(self, calls: Iterable[DurableCall]) -> list[Call]:
        batch = []
        for call in calls:
            self._check_call(call.func, call.reconciler)
            options = self._subtask.call_options.of(
                call.reconciler is not None,
                call.durability,
                call.in_doubt,
                call.retry,
                call.timeout,
                result_type=call.result_type,
                identity=call.identity,
            )
            batch.append(
                Call.of(
                    call.func,
                    call.args,
                    call.keywords,
                    call.reconciler,
                    call.durable_id,
                    options,
                    call.pool,
                )
            )
        return batch

    # ---------------------------------------------------------------- checks

    def _check_place(self, what: str) -> asyncio.AbstractEventLoop | None:
        """As `_running_loop`; what is neither a call nor a part of one is refused in calls, too."""
        if running_call.get() is not None or self._calls.closed:
            check_place(self._calls, self._subtask.loop, what)
        return self._running_loop(what)

    def _check_call(self, func: Any, reconciler: Any) -> None:
        if not callable(func):
            raise TypeError(f"a durable call takes a function first, not {type(func).__name__}")
        if reconciler is not None:
            check_reconciler(reconciler)
        if running_call.get() is not None:
            raise NestedDurableCall(
                f"{compute_function_id(func)} was called durably from inside another durable call; "
                "make both calls from the handler, one after the other"
            )
        if self._calls.closed:
            self._calls.check_open()


class _Awake(AbstractAsyncContextManager[None]):
    """Keeps the invocation of a context from being parked; nothing of it is journaled."""

    def __init__(self, context: FlinkRunnerContext) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        self._context._awake += 1

    async def __aexit__(self, *error: object) -> None:
        self._context._awake -= 1
