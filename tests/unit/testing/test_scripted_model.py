"""An agent is tested as its user would: a model that is written down, and every crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pyflink_durable import NOT_EXECUTED, RetryPolicy, RunnerContext
from pyflink_durable.testing import Case, Durable, ScriptedModel, crash, crash_points
from pyflink_durable.tools import ToolContext, ToolRegistry, ToolRequestEvent, call_tools, tool

placed: dict[str, str] = {}


async def ask_model(talk: Sequence[Any]) -> Any:
    raise AssertionError("no model is at hand")


@tool
def get_price(item: str) -> int:
    """Tells the price of an item."""
    return len(item)


def find_order(arguments: dict[str, Any], tool_call_id: str) -> Any:
    return placed.get(tool_call_id, NOT_EXECUTED)


@tool(reconciler=find_order)
def place_order(item: str, ctx: ToolContext) -> str:
    """Orders an item."""
    assert ctx.tool_call_id is not None
    placed[ctx.tool_call_id] = item
    return item


TOOLS = ToolRegistry([get_price, place_order])
ONCE_MORE = RetryPolicy(max_attempts=2, retry_on=(ConnectionError,))


async def assist(text: str, ctx: RunnerContext) -> str:
    talk: list[Any] = [{"role": "user", "content": text}]
    while True:
        reply = await ctx.durable_execute_async(ask_model, talk, retry=ONCE_MORE)
        talk.append(reply)
        if not reply.get("tool_calls"):
            return str(reply["content"])
        request = ToolRequestEvent.from_openai(reply["tool_calls"])
        talk += (await call_tools(ctx, TOOLS, request)).to_openai()


BOTH = [("get_price", {"item": "tea"}), ("place_order", {"item": "tea"})]


@crash_points(assist, ["Order tea."], levels=["gated", "write-ahead"])
def test_every_crash_of_an_agent(case: Case) -> None:
    placed.clear()
    model = ScriptedModel([BOTH, "It is ordered."])
    case.stub(ask_model, side_effect=model)
    assert case.run().outputs == ["It is ordered."]
    assert list(placed.values()) == ["tea"], case


def test_a_turn_that_is_asked_for_again_has_other_ids(durable: Durable) -> None:
    placed.clear()
    model = ScriptedModel([BOTH, "It is ordered."])
    durable.stub(ask_model, side_effect=model)
    lost = crash(ask_model, when="after-effect")
    assert durable.run(assist, "Order tea.", crash_at=lost).outputs == ["It is ordered."]
    assert model.asked == {0: 2, 1: 1}
    assert list(placed) == ["call_0_2_1"]
    told = [message["role"] for message in model.conversations[-1]]
    assert told == ["user", "assistant", "tool", "tool"]


def test_an_error_is_raised_once(durable: Durable) -> None:
    model = ScriptedModel([ConnectionError("busy"), "Hello."])
    durable.stub(ask_model, side_effect=model)
    assert durable.run(assist, "Hi.").outputs == ["Hello."]
    assert model.asked == {0: 2}
    with pytest.raises(ValueError, match="the last one has none behind it"):
        ScriptedModel(["Hello.", ConnectionError("busy")])


def test_a_script_that_is_too_short_says_so(durable: Durable) -> None:
    durable.stub(ask_model, side_effect=ScriptedModel([BOTH]))
    with pytest.raises(
        AssertionError, match=r"asked for turn 1 .* its script has 1; .*'role': 'too"
    ):
        durable.run(assist, "Order tea.")
