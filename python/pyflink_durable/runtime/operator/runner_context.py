"""The context of a handler that runs over a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, MutableMapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pyflink_durable.checks.arguments import check_seconds
from pyflink_durable.errors import DurableExecutionError
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.runtime.journal.callbacks import make_ticket
from pyflink_durable.runtime.journal.moments import read_time
from pyflink_durable.runtime.journal.patches import is_patched, require_patched
from pyflink_durable.runtime.journal.seen_signals import pending_signals
from pyflink_durable.runtime.journal.signals import SignalWaits, wait_for_signal
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.calling_context import CallingContext
from pyflink_durable.runtime.operator.handler_place import check_place
from pyflink_durable.runtime.operator.user_state import UserState
from pyflink_durable.runtime.telemetry.handler_log import HandlerLogger
from pyflink_durable.signals import Signal, check_signal_name
from pyflink_durable.tickets import Ticket

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag


class FlinkRunnerContext(CallingContext):
    """What a handler in a job gets: calls, time, signals, outputs and state, each in every run.

    Its arguments are those of `InvocationContext`.
    """

    _random: Random | None = None
    _uuids: Random | None = None
    _logger: HandlerLogger | None = None

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

    def callback(self, name: str, timeout: float | None = None) -> Ticket:
        loop, waits = self._signals("callback", name)
        check_seconds("timeout", timeout)
        hold = self._subtask.call_options.outcome_hold

        def wait(signal: str, told: str) -> Coroutine[Any, Any, Any]:
            at = (self._calls, self._number, waits, loop)
            return wait_for_signal(*at, signal, timeout, hold, told)

        return make_ticket(self._calls, self._subtask.callbacks, name, wait)

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

    def patched(self, patch: str) -> bool:
        self._check_place("patched")
        return is_patched(self._calls, patch)

    def deprecate_patch(self, patch: str) -> None:
        self._check_place("deprecate_patch")
        require_patched(self._calls, patch)

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


class _Awake(AbstractAsyncContextManager[None]):
    """Keeps the invocation of a context from being parked; nothing of it is journaled."""

    def __init__(self, context: FlinkRunnerContext) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        self._context._awake += 1

    async def __aexit__(self, *error: object) -> None:
        self._context._awake -= 1
