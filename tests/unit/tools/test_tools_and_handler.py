"""Tools and the handler that calls them: what is replayed after a crash, what they may see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import shop_tools
from batch_context import BatchContext
from tool_calls import Outside, answer, request_of

from pyflink_durable import NOT_EXECUTED, NestedDurableCall, RunnerContext
from pyflink_durable.tools import (
    Tool,
    ToolContext,
    ToolRegistry,
    ToolResponseEvent,
    tool,
)

# -------------------------------------------------------------------- a crash, and again


@pytest.mark.parametrize("ended", range(4))
def test_tools_that_had_ended_are_not_called_again(ended: int) -> None:
    """Refused calls take no place in the journal, so they move none."""
    outside = Outside()
    registry = ToolRegistry([outside.book, outside.book_later])
    request = request_of(
        ("0", "book", {"seat": "A"}),
        ("refused", "cancel", {"seat": "A"}),
        ("1", "book_later", {"seat": "B"}),
        ("2", "book", {"seat": "C"}),
    )
    before = BatchContext()
    first = answer(before, request, registry)
    assert sorted(outside.ran) == ["A", "B", "C"]

    outside.ran.clear()
    after = BatchContext()
    after.journal = dict(list(before.journal.items())[:ended])
    assert answer(after, request, registry) == first
    assert sorted(outside.ran) == ["A", "B", "C"][ended:]


@pytest.mark.parametrize("name", ["find", "find_later"])
@pytest.mark.parametrize("func", ["book", "book_later"])
def test_a_tool_in_doubt_is_asked_about_by_its_arguments_and_id(func: str, name: str) -> None:
    outside = Outside()
    outside.found = "found it"
    booking = tool(reconciler=getattr(outside, name))(getattr(outside, func))
    ctx = BatchContext()
    ctx.in_doubt = {"tool-call-a"}
    response = answer(ctx, request_of(("a", func, '{"seat": "A"}')), ToolRegistry([booking]))
    assert response.responses == {"a": "found it"}
    assert (outside.ran, outside.asked) == ([], [({"seat": "A"}, "a")])


@pytest.mark.parametrize("name", ["find", "find_later"])
def test_a_reconciler_may_say_that_the_tool_did_not_run(name: str) -> None:
    outside = Outside()
    booking = tool(reconciler=getattr(outside, name))(outside.book)
    ctx = BatchContext()
    answer(ctx, request_of(("a", "book", {"seat": "A"})), ToolRegistry([booking]))
    reconciler: Any = ctx.batches[0][1][0].reconciler
    found = reconciler()
    assert (asyncio.run(found) if name == "find_later" else found) is NOT_EXECUTED


# -------------------------------------------------------------------- the context of a tool


def run_with_context(ask: Any, ctx: BatchContext) -> ToolResponseEvent:
    def peek(ctx: RunnerContext) -> Any:
        return ask(ctx)

    return answer(ctx, request_of(("a", "peek", {})), ToolRegistry([peek]))


def test_what_a_tool_may_read() -> None:
    ctx = BatchContext(key="c-1", timestamp=17, state={"seen": [1, 2]})

    def ask(ctx: ToolContext) -> Any:
        ctx.state["seen"].append(3)
        return [ctx.key, ctx.timestamp, dict(ctx.state), ctx.tool_call_id, ctx.tool_name]

    response = run_with_context(ask, ctx)
    assert response.responses == {"a": ["c-1", 17, {"seen": [1, 2, 3]}, "a", "peek"]}
    assert ctx.state == {"seen": [1, 2]}


@pytest.mark.parametrize(
    "ask",
    [
        lambda ctx: ctx.durable_execute(print),
        lambda ctx: ctx.durable_execute_async(print),
        lambda ctx: ctx.collect(1),
        lambda ctx: ctx.output("late", 1),
        lambda ctx: ctx.state.update(seen=1),
        lambda ctx: ctx.state.clear(),
    ],
)
def test_what_a_tool_may_not_do(ask: Any) -> None:
    ctx = BatchContext(state={"seen": 0})
    response = run_with_context(ask, ctx)
    assert response.error["a"].startswith(f"{NestedDurableCall.__name__}: tool peek used ")
    assert (ctx.state, ctx.collected, ctx.outputs) == ({"seen": 0}, [], [])


def test_the_state_is_left_alone_if_no_tool_asks_for_the_context() -> None:
    class Untouchable(BatchContext):
        @property
        def state(self) -> Any:
            raise AssertionError("nobody asked for it")

    request = request_of(("a", "price_of", {"item": "tea"}))
    assert answer(Untouchable(), request).success == {"a": True}


def test_a_tool_is_one_object_for_all_its_calls() -> None:
    made: Tool = shop_tools.price_of
    request = request_of(("a", "price_of", {"item": "a"}), ("b", "price_of", {"item": "bb"}))
    response = answer(BatchContext(), request, ToolRegistry([made]))
    assert [response.responses[id]["price"] for id in "ab"] == [1, 2]  # type: ignore[index,call-overload]
