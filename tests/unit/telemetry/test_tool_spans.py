"""Spans of tool calls, after OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from bridges import Slot
from handler_bench import HandlerBench
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tool_calls import SHOP

from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.tools import ToolCall, ToolRequestEvent, call_tools
from pyflink_durable.tracing import Tracing

pytestmark = pytest.mark.one_run(reason="a replay has spans of its own")

REQUEST = ToolRequestEvent(
    tool_calls=[
        ToolCall(id="a", name="price_of", arguments={"item": "tea"}),
        ToolCall(id="b", name="fail", arguments={"reason": "broken"}, external_id="model-b"),
    ]
)


async def handle(value: Any, ctx: Any) -> dict[str, bool]:
    return (await call_tools(ctx, SHOP, REQUEST)).success


class Traced:
    """Runs the handler, and has what it was traced as."""

    def __init__(self, executor: CallExecutor, **settings: Any) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Tracing(lambda: provider, **settings)
        self.tracing.open()
        self._executor = executor

    def run(self, slots: tuple[Slot, ...] = ()) -> HandlerBench:
        bench = HandlerBench(handle, self._executor, slots=slots, observers=[self.tracing])
        assert bench.run() == {"a": True, "b": False}
        return bench

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def attributes(self, name: str, prefix: str = "") -> dict[str, Any]:
        found = self.spans()[name].attributes or {}
        return {name: value for name, value in found.items() if name.startswith(prefix)}


@pytest.fixture
def traced(executor: CallExecutor) -> Iterator[Traced]:
    traced = Traced(executor)
    yield traced
    traced.tracing.close()


def test_a_tool_has_a_span_by_its_name(traced: Traced) -> None:
    traced.run()

    assert set(traced.spans()) == {
        "durable.invocation",
        "execute_tool price_of",
        "execute_tool fail",
    }
    assert traced.attributes("execute_tool price_of", "gen_ai.") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "price_of",
        "gen_ai.tool.call.id": "a",
        "gen_ai.tool.type": "function",
    }
    assert traced.attributes("execute_tool price_of", "durable.call.name") == {
        "durable.call.name": "tool-call-a"
    }


def test_a_tool_that_fails_says_so_and_has_the_id_that_the_model_gave(traced: Traced) -> None:
    traced.run()
    told = traced.attributes("execute_tool fail")

    assert told["gen_ai.tool.call.id"] == "model-b"
    assert told["durable.call.status"] == "FAILED"
    assert told["error.type"]


def test_a_tool_that_is_replayed_has_no_span(traced: Traced) -> None:
    slots = tuple(traced.run().journal.slots)
    traced.exporter.clear()
    traced.run(slots)

    assert set(traced.spans()) == {"durable.invocation"}
    events = traced.spans()["durable.invocation"].events
    assert [event.name for event in events] == ["durable.call.replayed"] * 2


def test_content_is_told_only_if_that_is_wanted(executor: CallExecutor) -> None:
    traced = Traced(executor, content=True)
    traced.run()
    told = traced.attributes("execute_tool price_of", "gen_ai.tool.call.")
    traced.tracing.close()

    assert told["gen_ai.tool.call.arguments"] == '{"item": "tea"}'
    assert json.loads(told["gen_ai.tool.call.result"])["item"] == "tea"
    assert "gen_ai.tool.call.result" not in traced.attributes("execute_tool fail")
