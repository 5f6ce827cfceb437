"""The agent of the examples, without Flink, against its stand-in for a model and a shop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from batch_context import BatchContext

from pyflink_durable import NOT_EXECUTED

sys.path.append(str(Path(__file__).parents[3] / "examples" / "agent"))
from assistant import Assistant, Services, local_service

Say = Callable[[BatchContext, str], str]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with local_service(tmp_path / "agent.db") as url:
        yield url


@pytest.fixture
def assistant(service: str) -> Iterator[Assistant]:
    assistant = Assistant(Services(f"{service}/v1", "rules", service))
    assistant.open(None)
    yield assistant
    assistant.close()


@pytest.fixture
def say(assistant: Assistant) -> Say:
    def say(ctx: BatchContext, text: str) -> str:
        message = {"customer": "ann", "text": text}
        answer: str = asyncio.run(assistant.process(message, ctx))["answer"]
        return answer

    return say


def requests_of(service: str) -> Any:
    return httpx.get(f"{service}/requests").json()


def test_a_conversation_is_the_state_of_its_key(service: str, say: Say) -> None:
    ctx = BatchContext(key="ann")
    assert say(ctx, "Hello!") == "#1: I know about tea, cup, kettle."
    assert say(ctx, "What does tea cost?") == '#2: {"item":"tea","stock":3,"price":4}'
    assert say(ctx, "Order tea and a cup.").count('"order":') == 2
    assert [len(calls) for _, calls, _ in ctx.batches] == [1, 4]
    assert [one["role"] for one in ctx.state["talk"]] == [
        *("user", "assistant"),
        *("user", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool", "tool", "tool", "tool", "assistant"),
    ]
    assert requests_of(service) == {
        "requests": {
            "POST /v1/chat/completions": 5,
            "GET /items/tea": 2,
            "GET /items/cup": 1,
            "POST /orders": 2,
        },
        "orders": [["tea"], ["cup"]],
    }


def test_a_shop_that_refuses_is_the_failure_of_its_tool(
    service: str, assistant: Assistant, say: Say
) -> None:
    assistant._shop = httpx.Client(base_url=f"{service}/nowhere")
    assert say(BatchContext(), "tea?").startswith("#1: Error: HTTPStatusError: Client error '404")


def test_the_reconciler_finds_an_order_by_the_id_of_its_tool_call(
    assistant: Assistant, say: Say
) -> None:
    ctx = BatchContext()
    say(ctx, "Order tea.")
    (order,) = [call for call in ctx.batches[0][1] if call.reconciler is not None]
    tool_call_id = str(order.durable_id).removeprefix("tool-call-")
    assert assistant.find_order({}, tool_call_id) == {"order": 1, "item": "tea", "quantity": 1}
    assert assistant.find_order({}, "another") is NOT_EXECUTED
