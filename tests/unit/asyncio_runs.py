"""One run of a random program of asyncio: its calls, and how all that happens is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from asyncio_outside import TENANT, answer, answer_later
from asyncio_programs import Act, Node

from pyflink_durable import DurableCall


class BareRun:
    """Runs the nodes of a program; those that are more than calls are methods of its subclasses."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    async def of(self, node: Any) -> Any:
        """Runs a node, and tells what came of it and when."""
        try:
            result = await (self._act(node) if isinstance(node, Act) else self._do(node))
        except BaseException as error:
            self._tell(node, text_of(error))
            raise
        self._tell(node, result)
        return result

    def _tell(self, node: Any, what: Any) -> None:
        with contextlib.suppress(Exception):  # the handler has ended
            now = asyncio.get_running_loop().time()
            self._ctx.collect((now, node.number, TENANT.get(), repr(what)))

    async def caught(self, node: Any) -> Any:
        """Runs a node whose error is a result."""
        try:
            return await self.of(node)
        except Exception as error:
            return text_of(error)

    def _do(self, node: Node) -> Awaitable[Any]:
        do: Callable[[Node], Awaitable[Any]] = getattr(self, node.kind)
        return do(node)

    # ---------------------------------------------------------------- calls

    async def _act(self, act: Act) -> Any:
        spec = {"number": act.number, "ends": act.ends, "seconds": act.seconds, "lines": ["order"]}
        if act.form == "sync":
            result = self._ctx.durable_execute(answer, spec)
        elif act.form == "batch":
            calls = [DurableCall(answer, (spec,)), DurableCall(answer_later, (spec,))]
            outcomes = await self._ctx.durable_execute_all_async(calls)
            result = [outcome.value or text_of(outcome.error) for outcome in outcomes]
        else:
            call = self._ctx.durable_execute_async(answer, spec)
            if act.form == "task":
                call = asyncio.create_task(call)
            spec["lines"].append("changed by the handler")  # after the call was made
            result = await call
        if act.ends == "tenant" and act.form != "batch":
            assert result == f"for {TENANT.get()}", result
        if isinstance(result, list):
            result.append("changed by the handler")
        return [spec["lines"], result]


AS_RESULTS: Any = {"return_exceptions": True}


async def in_time(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except Exception as error:
        return text_of(error)


async def results_of(tasks: list[Any]) -> list[str]:
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [text_of(r) if isinstance(r, BaseException) else repr(r) for r in results]


def text_of(error: BaseException | None) -> str:
    """All that a handler can see of an error."""
    if error is None:
        return "no error"
    if isinstance(error, asyncio.CancelledError):  # anyio's names its scope by the address
        return "cancelled"
    members = [text_of(member) for member in getattr(error, "exceptions", ())]
    notes = getattr(error, "__notes__", [])
    cause = f" from {text_of(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}{error.args if not members else ''}{members}{notes}{cause}"
