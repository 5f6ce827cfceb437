"""The functions that random programs of asyncio call."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")

KEPT: list[Any] = []
"""What functions keep of what they gave away, and change later."""


def answer(spec: dict[str, Any]) -> Any:
    """The function of all calls: ends as it is told, and treats what it has as its own."""
    for kept in KEPT:
        kept.append("changed by a later call")
    number = spec["number"]
    match spec["ends"]:
        case "list":
            KEPT.append([number, "from outside"])
            return KEPT[-1]
        case "tenant":
            return f"for {TENANT.get()}"
        case "changes":
            spec["lines"].append("changed by the function")
            TENANT.set("changed by the function")
            return spec
        case "error":
            raise ValueError(number)
        case "caused":
            raise RuntimeError(number) from ConnectionError("reset", number)
        case "noted":
            error = KeyError(number)
            getattr(error, "add_note", vars(error).setdefault)("__noted__", *(("x",) * 0))
            raise error
        case "grouped":
            raise asyncio.TimeoutError(number) from LookupError([number, {"of": "all"}])
    return {"number": number}


async def answer_later(spec: dict[str, Any]) -> Any:
    """The same, as a coroutine function."""
    return answer(spec)
