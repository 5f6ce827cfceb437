"""The events of tool calls: a JSON form that stays, and the form of OpenAI's chat API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from batch_context import BatchContext
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageFunctionToolCall
from pydantic import ValidationError
from shop_tools import price_of

from pyflink_durable.tools import (
    ToolCall,
    ToolRegistry,
    ToolRequestEvent,
    ToolResponseEvent,
    call_tools,
)

GOLDEN = Path(__file__).parent / "golden"

WRITTEN_BY_A_MODEL = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "price_of", "arguments": '{"item": "tea", "currency": "EUR"}'},
    },
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "price_of", "arguments": '{"item": '},
    },
]


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def test_the_json_form_of_a_request() -> None:
    request = ToolRequestEvent.from_openai(WRITTEN_BY_A_MODEL)
    assert json.loads(request.model_dump_json()) == golden("tool_request")
    assert list(json.loads(request.model_dump_json())) == list(golden("tool_request"))
    assert ToolRequestEvent.model_validate_json(request.model_dump_json()) == request


def test_the_json_form_of_a_response() -> None:
    request = ToolRequestEvent.from_openai(WRITTEN_BY_A_MODEL)
    response = asyncio.run(call_tools(BatchContext(), ToolRegistry([price_of]), request))
    assert json.loads(response.model_dump_json()) == golden("tool_response")
    assert list(json.loads(response.model_dump_json())) == list(golden("tool_response"))
    assert ToolResponseEvent.model_validate_json(response.model_dump_json()) == response


@pytest.mark.parametrize("event", [ToolRequestEvent, ToolResponseEvent])
def test_a_newer_form_is_refused(event: Any) -> None:
    name = {ToolRequestEvent: "tool_request", ToolResponseEvent: "tool_response"}[event]
    with pytest.raises(ValidationError, match="version"):
        event.model_validate(golden(name) | {"version": 2})


def test_events_cannot_be_changed() -> None:
    request = ToolRequestEvent(tool_calls=[ToolCall(id="a", name="price_of")])
    with pytest.raises(ValidationError, match="frozen"):
        request.tool_calls = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('{"item": "tea"}', {"item": "tea"}),
        ({"item": "tea"}, {"item": "tea"}),
        ("", {}),
        ("  ", {}),
        ('["tea"]', '["tea"]'),
        ("tea", "tea"),
        ('{"item": "tea"', '{"item": "tea"'),
    ],
)
def test_arguments_are_an_object_where_the_model_wrote_one(written: Any, kept: Any) -> None:
    assert ToolCall(id="a", name="price_of", arguments=written).arguments == kept


def test_each_call_has_an_id_of_its_own() -> None:
    with pytest.raises(ValidationError, match="two tool calls have the id 'a'"):
        ToolRequestEvent(tool_calls=[ToolCall(id="a", name="x"), ToolCall(id="a", name="y")])
    with pytest.raises(ValidationError, match="at least 1 character"):
        ToolCall(id="", name="x")


@pytest.mark.parametrize("given", [None, "", "i" * 501])
def test_a_call_without_a_usable_id_gets_its_number(given: str | None) -> None:
    request = ToolRequestEvent.from_openai([{"id": given, "function": {"name": "x"}}])
    (call,) = request.tool_calls
    assert (call.id, call.external_id, call.arguments) == (
        "tool-call-number-0",
        given or None,
        {},
    )


def test_the_objects_of_the_openai_package() -> None:
    message = ChatCompletionMessage.model_validate(
        {"role": "assistant", "tool_calls": WRITTEN_BY_A_MODEL}
    )
    assert isinstance((message.tool_calls or [])[0], ChatCompletionMessageFunctionToolCall)
    assert ToolRequestEvent.from_openai(message.tool_calls) == ToolRequestEvent.from_openai(
        WRITTEN_BY_A_MODEL
    )
    assert ToolRequestEvent.from_openai(None).tool_calls == ()


def test_a_call_that_is_of_no_function_is_refused() -> None:
    custom = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select"}}
    with pytest.raises(ValueError, match="tool call 'a' is of type 'custom'"):
        ToolRequestEvent.from_openai([custom])


def test_answers_as_messages() -> None:
    response = ToolResponseEvent(
        responses={"a": "plain text", "b": {"price": 3, "of": "tëa"}, "d": None},
        success={"a": True, "b": True, "c": False, "d": True},
        error={"c": "there is no tool 'x'"},
        external_ids={"a": None, "b": None, "c": "a", "d": None},
    )
    assert response.to_openai() == [
        {"role": "tool", "tool_call_id": "a", "content": "plain text"},
        {"role": "tool", "tool_call_id": "b", "content": '{"price":3,"of":"tëa"}'},
        {"role": "tool", "tool_call_id": "a", "content": "Error: there is no tool 'x'"},
        {"role": "tool", "tool_call_id": "d", "content": "null"},
    ]
