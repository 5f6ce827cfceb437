"""The context of a handler that runs over a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

from pyflink_durable.context import NOT_EXECUTED, Reconciler, RunnerContext
from pyflink_durable.errors import (
    DurableExecutionError,
    JournalMismatch,
    NestedDurableCall,
    NotInInvocation,
)
from pyflink_durable.identity import compute_args_digest, compute_function_id
from pyflink_durable.runtime.bridge import (
    Bridge,
    CallFields,
    CursorJournal,
    Identity,
    JournalAccess,
)
from pyflink_durable.runtime.executors import CallExecutor, Outcome, inside_call, run_inside_call
from pyflink_durable.runtime.loop import DurableLoop
from pyflink_durable.runtime.payload import (
    dump_result,
    load_exception,
    load_result,
    prepare_exception,
)
from pyflink_durable.runtime.planning import Plan, plan_call
from pyflink_durable.runtime.telemetry import LocalTelemetry, Telemetry
from pyflink_durable.runtime.user_state import MemoryState, StateBackend, UserState
from pyflink_durable.validation import check_reconciler, is_coroutine_function

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag

T = TypeVar("T")


class FlinkRunnerContext(RunnerContext):
    """Plans each call over the journal of its invocation.

    Args:
        bridge: The journal: an object with the six methods of `Bridge`, or slot-wise access.
        executor: Where asynchronous calls run; by default a pool of its own.
        key: The key of the input.
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
        key: Any = None,
        timestamp: int | None = None,
        state: StateBackend | None = None,
        on_mismatch: Literal["clear", "fail"] = "clear",
        telemetry: Telemetry | None = None,
    ) -> None:
        self._journal: JournalAccess = (
            bridge if isinstance(bridge, JournalAccess) else CursorJournal(bridge)
        )
        self._executor = executor
        self._key = key
        self._timestamp = timestamp
        self._state = UserState(state or MemoryState(), self._check_running)
        self._on_mismatch = on_mismatch
        self._telemetry = telemetry or LocalTelemetry()
        self._next_slot = 0
        self._turn: asyncio.Lock | None = None
        self._ended = False
        self._outputs: list[tuple[OutputTag | None, Any]] = []

    # ---------------------------------------------------------------- what a handler sees

    @property
    def key(self) -> Any:
        return self._key

    @property
    def timestamp(self) -> int | None:
        return self._timestamp

    @property
    def state(self) -> MutableMapping[str, Any]:
        return self._state

    def collect(self, value: Any) -> None:
        self._check_running()
        self._outputs.append((None, value))

    def output(self, tag: OutputTag, value: Any) -> None:
        self._check_running()
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
        if is_coroutine_function(func):
            raise TypeError(
                f"{compute_function_id(func)} is a coroutine function: call it with "
                "`await ctx.durable_execute_async(...)` in an `async def` handler"
            )
        identity = _identity(func, args, kwargs, durable_id)
        slot = self._take_slot()
        plan, found = self._plan(slot, identity, reconciler)
        if plan is Plan.REPLAY:
            return _unpack(found)  # type: ignore[no-any-return]
        outcome = None
        if plan is Plan.RECONCILE and reconciler is not None:
            outcome = self._reconciled(run_inside_call(reconciler))
        if outcome is None:
            outcome = run_inside_call(func, args, kwargs)
        return self._finalize(slot, identity, outcome)  # type: ignore[no-any-return]

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
        identity = _identity(func, args, kwargs, durable_id)
        if self._journal.concurrent:
            return self._execute_async(identity, func, args, kwargs, reconciler)
        return self._execute_in_turn(identity, func, args, kwargs, reconciler)

    # ---------------------------------------------------------------- what the runtime sees

    @property
    def outputs(self) -> list[tuple[OutputTag | None, Any]]:
        """What the handler has emitted: a side output's tag, None for the main output."""
        return self._outputs

    def end(self) -> dict[str, bytes | None]:
        """Takes no more calls; gives what the handler has written to its state."""
        self._ended = True
        return self._state.take_writes()

    # ---------------------------------------------------------------- a call

    async def _execute_in_turn(self, *call: Any) -> Any:
        # made here, since a lock of Python 3.10 belongs to the loop that is first seen
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            return await self._execute_async(*call)

    async def _execute_async(
        self,
        identity: Identity,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reconciler: Reconciler | None,
    ) -> Any:
        self._check_running()
        loop = asyncio.get_running_loop()
        slot = self._take_slot()
        plan, found = self._plan(slot, identity, reconciler)
        if plan is Plan.REPLAY:
            if isinstance(loop, DurableLoop) and found is not None:
                await loop.replay_turn(found[5])
            return _unpack(found)
        executor = self._executor = self._executor or CallExecutor()
        outcome = None
        if plan is Plan.RECONCILE and reconciler is not None:
            outcome = self._reconciled(await executor.submit(loop, reconciler))
        if outcome is None:
            outcome = await executor.submit(loop, func, args, kwargs)
        return self._finalize(slot, identity, outcome)

    def _take_slot(self) -> int:
        slot = self._next_slot
        self._next_slot = slot + 1
        return slot

    def _plan(
        self, slot: int, identity: Identity, reconciler: Reconciler | None
    ) -> tuple[Plan, CallFields | None]:
        """Chooses what to do and brings the slot into the state for it."""
        found = self._journal.read(slot)
        plan = plan_call(found, identity, reconciler is not None)
        if plan is Plan.MISMATCH and found is not None:
            self._drop_mismatch(slot, identity, Identity(found[0], found[1]))
            plan = Plan.EXECUTE
        if plan is Plan.EXECUTE:
            self._journal.append_pending(slot, identity)
        elif plan is Plan.REPLAY:
            self._journal.replayed(slot, identity)
            self._telemetry.count("replayed")
        elif plan is Plan.REEXECUTE:
            self._telemetry.count("reexecuted")
        return plan, found

    def _drop_mismatch(self, slot: int, identity: Identity, found: Identity) -> None:
        self._telemetry.count("mismatched")
        if self._on_mismatch == "fail":
            raise JournalMismatch(slot, found, identity)
        self._telemetry.warning(
            f"key={self._key!r} slot={slot} journaled={found} called={identity} the handler made "
            "another call than before the failure; this slot and all after it are dropped. A "
            "handler must be deterministic; see on_mismatch"
        )
        self._journal.clear_from(slot)

    def _reconciled(self, outcome: Outcome) -> Outcome | None:
        """The reconciler's outcome, None if the call is to run."""
        if outcome.value is NOT_EXECUTED:
            self._telemetry.count("reexecuted")
            return None
        self._telemetry.count("reconciled")
        return outcome

    def _finalize(self, slot: int, identity: Identity, outcome: Outcome) -> Any:
        """Journals the outcome, then returns or raises it."""
        error = outcome.error
        if error is None:
            try:
                payload = dump_result(outcome.value)
            except Exception as not_serializable:
                error = not_serializable
            else:
                self._journal.finalize(slot, identity, payload, None)
                return outcome.value
        if not isinstance(error, Exception):
            raise error  # cancellation, interrupt, shutdown: nothing is known of the call
        error, payload = prepare_exception(error)
        self._journal.finalize(slot, identity, None, payload)
        raise error

    # ---------------------------------------------------------------- checks

    def _check_call(self, func: Any, reconciler: Any) -> None:
        if not callable(func):
            raise TypeError(f"a durable call takes a function first, not {type(func).__name__}")
        check_reconciler(reconciler)
        if inside_call.get():
            raise NestedDurableCall(compute_function_id(func))
        self._check_running()

    def _check_running(self) -> None:
        if self._ended:
            self._refuse_ended()

    def _refuse_ended(self) -> NoReturn:
        raise NotInInvocation(
            f"the handler's invocation for key {self._key!r} has ended; its context takes no more "
            "calls, outputs or state. Await everything before the handler returns, and keep no "
            "context beyond it"
        )


def _identity(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], durable_id: str | None
) -> Identity:
    function_id = durable_id if durable_id is not None else compute_function_id(func)
    return Identity(function_id, compute_args_digest(args, kwargs))


def _unpack(found: CallFields | None) -> Any:
    if found is None:
        raise DurableExecutionError("a call without a slot cannot be replayed")
    if found[4] is not None:
        raise load_exception(bytes(found[4]))
    return load_result(bytes(found[3]))
