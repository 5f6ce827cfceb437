"""What runs as the durable call of a tool."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pyflink_durable.batch import CallStatus, DurableCall
from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.context import NOT_EXECUTED
from pyflink_durable.current_call import current_call
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.tools.context import ToolContext
from pyflink_durable.tools.events import ToolCall
from pyflink_durable.tools.json_form import to_json_form
from pyflink_durable.tools.observe import ToolObserver
from pyflink_durable.tools.tool import Tool


class ToolAsAsked:
    """A tool call as observers see it, see `pyflink_durable.observer.ObservedTool`."""

    __slots__ = ("arguments", "call_id", "name", "result")

    def __init__(self, call: ToolCall) -> None:
        self.name = call.name
        self.call_id = call.external_id or call.id
        self.arguments = call.arguments
        self.result: Any = None


class ToolRun:
    """A tool with its validated arguments, as a function of what the model asked for.

    Not a closure and not a partial: an object of a plain class adds nothing to the identity of a
    call and costs nothing to name.

    Attributes:
        observed_tool: What observers are told of it.
        told: Whether the observer has been told how it ended.
    """

    def __init__(
        self,
        tool: Tool,
        call: ToolCall,
        arguments: dict[str, Any],
        context: ToolContext | None,
        observer: ToolObserver,
    ) -> None:
        self.observed_tool = ToolAsAsked(call)
        self.told = False
        self._tool = tool
        self._call = call
        self._arguments = arguments
        self._context = context
        self._observer = observer

    def durable_call(self) -> DurableCall:
        """The durable call: its identity is the id of the tool call and what the model wrote."""
        rules = self._tool.rules
        return DurableCall(
            self,
            (self._call.name, self._call.arguments),
            durable_id=f"tool-call-{self._call.id}",
            reconciler=self._reconciler(),
            retry=rules.retry,
            timeout=rules.timeout,
            durability=rules.durability,
            in_doubt=rules.in_doubt,
            pool="tools",
        )

    def __call__(self, name: str, arguments: Any) -> Any:
        with self._observed():
            return self._in_json(self._tool.run(copy_of(self._arguments), self._context))

    @contextmanager
    def _observed(self) -> Iterator[None]:
        attempt = current_call().attempt
        self._observer.started(self._call, attempt)
        started = time.monotonic()
        try:
            yield
        except Exception:  # a cancellation is no end: nobody knows what the tool did
            self._ended(CallStatus.FAILED, attempt, started)
            raise
        self._ended(CallStatus.SUCCEEDED, attempt, started)

    def _ended(self, status: CallStatus, attempt: int, started: float) -> None:
        self._observer.ended(self._call, status, attempt, time.monotonic() - started)
        self.told = True

    def _reconciler(self) -> Callable[[], Any] | None:
        """The tool's reconciler as one without arguments, whose answer is what the run gives."""
        ask = self._tool.rules.reconciler
        if ask is None:
            return None
        return partial(self._ask_async if is_coroutine_function(ask) else self._ask, ask)

    def _ask(self, ask: Callable[..., Any]) -> Any:
        return self._in_json(ask(copy_of(self._arguments), self._call.id))

    async def _ask_async(self, ask: Callable[..., Any]) -> Any:
        return self._in_json(await ask(copy_of(self._arguments), self._call.id))

    def _in_json(self, result: Any) -> Any:
        # in the call, so that the journal holds what JSON can carry: no class can get lost
        if result is NOT_EXECUTED:
            return result
        form = to_json_form(result, f"tool {self._tool.name}")
        self.observed_tool.result = form
        return form


class AsyncToolRun(ToolRun):
    """The same for a tool that is a coroutine function."""

    async def __call__(self, name: str, arguments: Any) -> Any:
        with self._observed():
            return self._in_json(await self._tool.run(copy_of(self._arguments), self._context))


def run_of(
    tool: Tool,
    call: ToolCall,
    arguments: dict[str, Any],
    context: ToolContext | None,
    observer: ToolObserver,
) -> ToolRun:
    """Makes the kind of run that the tool's function needs."""
    kind = AsyncToolRun if tool.is_async else ToolRun
    return kind(tool, call, arguments, context, observer)
