"""The context of a handler that runs over a journal."""

from __future__ import annotations

import inspect
from asyncio import events
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pyflink_durable.context import Reconciler, RunnerContext
from pyflink_durable.errors import DurableExecutionError, NestedDurableCall
from pyflink_durable.identity import compute_function_id
from pyflink_durable.runtime.async_call import AsyncCall, CallStarter
from pyflink_durable.runtime.bridge import Bridge, CursorJournal, JournalAccess
from pyflink_durable.runtime.calls import Call, CallJournal, replay
from pyflink_durable.runtime.executors import CallExecutor, Outcome, inside_call, run_inside_call
from pyflink_durable.runtime.loop import DurableLoop
from pyflink_durable.runtime.planning import Plan
from pyflink_durable.runtime.telemetry import LocalTelemetry, Telemetry
from pyflink_durable.runtime.user_state import MemoryState, StateBackend, UserState
from pyflink_durable.validation import check_reconciler, is_coroutine_function

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag

T = TypeVar("T")


class InvocationKey:
    """The key of an invocation, loaded when it is first asked for.

    Apart from the context, so that the context and its journal do not refer to each other: that
    would leave every finished invocation to the garbage collector.

    Args:
        load: Gives the key; asked at most once, from any thread.
    """

    __slots__ = ("_load", "_value")

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load: Callable[[], Any] | None = load

    @property
    def value(self) -> Any:
        if self._load is not None:
            self._value = self._load()
            self._load = None
        return self._value

    def describe(self) -> str:
        """Names the invocation in log lines and errors."""
        try:
            return f"key={self.value!r}"
        except Exception as error:  # the invocation is gone from the operator
            return f"key unknown: {error}"


class FlinkRunnerContext(RunnerContext):
    """Makes each call over the journal of its invocation.

    Args:
        bridge: The journal: an object with the six methods of `Bridge`, or slot-wise access.
        executor: Where asynchronous calls run; by default a pool of its own.
        load_key: Gives the key of the input; asked at most once, from any thread.
        timestamp: The event time of the input in milliseconds, None if it has none.
        state: The state of the key.
        on_mismatch: What to do with a slot of another call, see `DurableOptions`.
        telemetry: Where to count and log.
    """

    def __init__(
        self,
        bridge: Bridge | JournalAccess,
        executor: CallExecutor | None = None,
        *,
        load_key: Callable[[], Any] = lambda: None,
        timestamp: int | None = None,
        state: StateBackend | None = None,
        on_mismatch: Literal["clear", "fail"] = "clear",
        telemetry: Telemetry | None = None,
    ) -> None:
        self._invocation_key = InvocationKey(load_key)
        access = bridge if isinstance(bridge, JournalAccess) else CursorJournal(bridge)
        self._calls = CallJournal(
            access, on_mismatch, telemetry or LocalTelemetry(), self._invocation_key.describe
        )
        self._executor = executor
        self._timestamp = timestamp
        self._state_backend = state
        self._state: UserState | None = None
        self._starter: CallStarter | None = None
        self._outputs: list[tuple[OutputTag | None, Any]] = []

    # ---------------------------------------------------------------- what a handler sees

    @property
    def key(self) -> Any:
        return self._invocation_key.value

    @property
    def timestamp(self) -> int | None:
        return self._timestamp

    @property
    def state(self) -> MutableMapping[str, Any]:
        if self._state is None:
            self._state = UserState(self._state_backend or MemoryState(), self._calls.check_open)
        return self._state

    def collect(self, value: Any) -> None:
        self._calls.check_open()
        self._outputs.append((None, value))

    def output(self, tag: OutputTag, value: Any) -> None:
        self._calls.check_open()
        if not hasattr(tag, "tag_id"):
            raise TypeError(f"ctx.output takes an OutputTag first, not {type(tag).__name__}")
        self._outputs.append((tag, value))

    def durable_execute(
        self,
        func: Callable[..., T],
        /,
        *args: Any,
        reconciler: Reconciler | None = None,
        durable_id: str | None = None,
        **kwargs: Any,
    ) -> T:
        self._check_call(func, reconciler)
        for asked in (func, reconciler):
            if asked is not None and is_coroutine_function(asked):
                raise TypeError(
                    f"{compute_function_id(asked)} is a coroutine function: call it with "
                    "`await ctx.durable_execute_async(...)` in an `async def` handler"
                )
        # on the task thread no checkpoint comes between the start and the end of the call
        announce = type(events._get_running_loop()) is not DurableLoop
        call = Call.of(func, args, kwargs, reconciler, durable_id)
        planned = self._calls.plan(call, announce)
        if planned.plan is Plan.REPLAY:
            return replay(planned)  # type: ignore[no-any-return]
        if planned.plan is Plan.RECONCILE and reconciler is not None:
            outcome = _not_awaitable(run_inside_call(reconciler), reconciler)
            if self._calls.reconciled(outcome):
                return self._calls.finish(planned, outcome)  # type: ignore[no-any-return]
        outcome = _not_awaitable(run_inside_call(func, args, kwargs), func)
        return self._calls.finish(planned, outcome, announce)  # type: ignore[no-any-return]

    def durable_execute_async(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        reconciler: Reconciler | None = None,
        durable_id: str | None = None,
        **kwargs: Any,
    ) -> Awaitable[Any]:
        self._check_call(func, reconciler)
        loop = events._get_running_loop()
        if loop is None:
            raise DurableExecutionError(
                "ctx.durable_execute_async needs an event loop, that is an `async def` handler; in "
                "a `def` handler call ctx.durable_execute(...), which blocks nothing but its thread"
            )
        call = Call.of(func, args, kwargs, reconciler, durable_id)
        return AsyncCall(self._starter or self._make_starter(), call, loop)

    # ---------------------------------------------------------------- what the runtime sees

    @property
    def outputs(self) -> list[tuple[OutputTag | None, Any]]:
        """What the handler has emitted: a side output's tag, None for the main output."""
        return self._outputs

    def end(self) -> dict[str, bytes | None]:
        """Takes no more calls; gives what the handler has written to its state."""
        self._calls.close()
        return {} if self._state is None else self._state.take_writes()

    def _make_starter(self) -> CallStarter:
        executor = self._executor or CallExecutor()
        self._starter = CallStarter(self._calls, executor)
        return self._starter

    # ---------------------------------------------------------------- checks

    def _check_call(self, func: Any, reconciler: Any) -> None:
        if not callable(func):
            raise TypeError(f"a durable call takes a function first, not {type(func).__name__}")
        check_reconciler(reconciler)
        if inside_call.get():
            raise NestedDurableCall(
                f"{compute_function_id(func)} was called durably from inside another durable call; "
                "make both calls from the handler, one after the other"
            )
        self._calls.check_open()


def _not_awaitable(outcome: Outcome, func: Callable[..., Any]) -> Outcome:
    """Refuses what a call cannot be replayed with: a coroutine that nobody has awaited."""
    if not inspect.isawaitable(outcome.value):
        return outcome
    if inspect.iscoroutine(outcome.value):
        outcome.value.close()
    error = TypeError(
        f"{compute_function_id(func)} returned an awaitable: call it with "
        "`await ctx.durable_execute_async(...)` in an `async def` handler"
    )
    return Outcome(None, error)
