"""What a tool sees of the context of the handler that calls it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import cached_property
from logging import Logger, LoggerAdapter
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

from pyflink_durable.batch import DurableCall, Outcomes
from pyflink_durable.call_options import GivenOptions
from pyflink_durable.context import RunnerContext
from pyflink_durable.errors import NestedDurableCall
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.payload.results import dump_result, load_result
from pyflink_durable.signals import Signal
from pyflink_durable.tickets import Ticket

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag

T = TypeVar("T")


class ToolContext(RunnerContext):
    """What is given to a parameter of type `RunnerContext` or `ToolContext`; to be read only.

    A tool runs inside a durable call, on another thread than the handler, and on a replay it does
    not run at all. So what it did to the context would get lost; it returns a value, and the
    handler does the rest. Durable calls, outputs and writes to the state raise `NestedDurableCall`.

    Attributes:
        tool_name: The name of the tool that is called.
        tool_call_id: The id of this tool call, the same in every attempt. It is an idempotency key
            for the outside as far as the model's ids are unique.
    """

    def __init__(self, snapshot: ContextSnapshot, tool_name: str, tool_call_id: str) -> None:
        self._snapshot = snapshot
        self.tool_name = tool_name
        self.tool_call_id = tool_call_id

    @property
    def key(self) -> Any:
        return copy_of(self._snapshot.key)  # it is the key of other tools, too

    @property
    def timestamp(self) -> int | None:
        return self._snapshot.timestamp

    @cached_property
    def state(self) -> MutableMapping[str, Any]:
        """The state as it was when the tools were called; every tool has a copy of its own."""
        values: Any = load_result(self._snapshot.state)
        return _ReadOnlyState(values, self._refuse)

    def _execute(
        self,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> T:
        self._refuse("ctx.durable_execute")

    def _execute_async(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> Awaitable[Any]:
        self._refuse("ctx.durable_execute_async")

    def durable_execute_all_async(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Outcomes]:
        self._refuse("ctx.durable_execute_all_async")

    def durable_execute_all(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        self._refuse("ctx.durable_execute_all")

    def gather(self, *awaitables: Awaitable[Any]) -> Awaitable[Outcomes]:
        self._refuse("ctx.gather")

    def sleep(self, seconds: float) -> Awaitable[None]:
        self._refuse("ctx.sleep")

    def wait_for_signal(self, name: str, timeout: float | None = None) -> Awaitable[Any]:
        self._refuse("ctx.wait_for_signal")

    def callback(self, name: str, timeout: float | None = None) -> Ticket:
        self._refuse("ctx.callback")

    def stay_awake(self) -> AbstractAsyncContextManager[None]:
        self._refuse("ctx.stay_awake")

    def pending_signals(self, name: str) -> list[Signal]:
        self._refuse("ctx.pending_signals")

    def patched(self, patch: str) -> bool:
        self._refuse("ctx.patched")

    def deprecate_patch(self, patch: str) -> None:
        self._refuse("ctx.deprecate_patch")

    def now(self) -> datetime:
        self._refuse("ctx.now")

    def uuid4(self) -> UUID:
        self._refuse("ctx.uuid4")

    @property
    def random(self) -> Random:
        self._refuse("ctx.random")

    @property
    def is_replaying(self) -> bool:
        return False  # a replay does not run it

    @property
    def logger(self) -> LoggerAdapter[Logger]:
        return self._snapshot.logger

    def collect(self, value: Any) -> None:
        self._refuse("ctx.collect")

    def output(self, tag: OutputTag, value: Any) -> None:
        self._refuse("ctx.output")

    def _refuse(self, what: str) -> NoReturn:
        raise NestedDurableCall(
            f"tool {self.tool_name} used {what}: a tool runs inside a durable call and not at all "
            "on a replay, so only what it returns is kept. Return a value, and let the handler "
            "do the rest"
        )


class ContextSnapshot:
    """What the tools of one request may read, taken on the handler's thread.

    Args:
        ctx: The context of the handler.
    """

    def __init__(self, ctx: RunnerContext) -> None:
        self.key = ctx.key
        self.timestamp = ctx.timestamp
        self.logger = ctx.logger
        # pickled: tools run on other threads, and the handler may change its values meanwhile
        self.state = dump_result(dict(ctx.state))


class _ReadOnlyState(MutableMapping[str, Any]):
    def __init__(self, values: dict[str, Any], refuse: Callable[[str], NoReturn]) -> None:
        self._values = values
        self._refuse = refuse

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __setitem__(self, name: str, value: Any) -> None:
        self._refuse(f"ctx.state[{name!r}] = ...")

    def __delitem__(self, name: str) -> None:
        self._refuse(f"del ctx.state[{name!r}]")
