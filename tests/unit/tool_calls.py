"""Requests for tools, who answers them, and tools that note that they ran."""

from __future__ import annotations

import asyncio
from typing import Any

import shop_tools
from batch_context import BatchContext

from pyflink_durable import NOT_EXECUTED, RunnerContext
from pyflink_durable.batch import CallOutcome, Outcomes
from pyflink_durable.tools import (
    ToolCall,
    ToolCallOptions,
    ToolRegistry,
    ToolRequestEvent,
    ToolResponseEvent,
    call_tools,
)

SHOP = ToolRegistry([shop_tools.price_of, shop_tools.order, shop_tools.fail])


def request_of(*calls: tuple[str, str, Any]) -> ToolRequestEvent:
    return ToolRequestEvent(
        tool_calls=[ToolCall(id=id, name=name, arguments=given) for id, name, given in calls]
    )


def answer(
    ctx: RunnerContext,
    request: ToolRequestEvent,
    registry: ToolRegistry = SHOP,
    options: ToolCallOptions | None = None,
) -> ToolResponseEvent:
    return asyncio.run(call_tools(ctx, registry, request, options=options))


class Scripted(BatchContext):
    """Gives outcomes that a test has written."""

    def __init__(self, *outcomes: CallOutcome) -> None:
        super().__init__()
        self._outcomes = Outcomes(outcomes)

    async def durable_execute_all_async(self, *args: Any, **kwargs: Any) -> Outcomes:
        return self._outcomes


class Outside:
    """Tools that note that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.asked: list[Any] = []
        self.found: Any = NOT_EXECUTED

    def book(self, seat: str) -> str:
        self.ran.append(seat)
        return f"booked {seat}"

    async def book_later(self, seat: str) -> str:
        self.ran.append(seat)
        return f"booked {seat}"

    def find(self, arguments: dict[str, Any], tool_call_id: str) -> Any:
        self.asked.append((arguments, tool_call_id))
        return self.found

    async def find_later(self, arguments: dict[str, Any], tool_call_id: str) -> Any:
        return self.find(arguments, tool_call_id)
