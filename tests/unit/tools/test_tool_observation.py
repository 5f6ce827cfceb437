"""What is told of tool calls: a line at the start and at the end, counters, latency; no payload."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
import shop_tools
from batch_context import BatchContext
from tool_calls import SHOP, Outside, Scripted, answer, request_of

from pyflink_durable import LocalRunnerContext
from pyflink_durable.batch import CallOutcome, CallStatus
from pyflink_durable.tools import ToolRegistry, call_tools, tool

SECRET = "secret-payload"


def lines_of(ctx: BatchContext) -> list[str]:
    return [re.sub(r"latency_ms=\d+", "latency_ms=N", line) for line in ctx.telemetry.lines]


def test_a_tool_that_runs() -> None:
    ctx = BatchContext()
    answer(ctx, request_of(("a", "price_of", {"item": SECRET})))
    assert lines_of(ctx) == [
        "tool call started tool='price_of' id='a' attempt=1",
        "tool call ended tool='price_of' id='a' status=SUCCEEDED latency_ms=N attempt=1 "
        "replayed=false reconciled=false",
    ]
    assert ctx.telemetry.counters == {"toolCalls": 1}
    assert [name for name, _ in ctx.telemetry.recorded] == ["toolLatencyMillis"]


def test_failures_and_refusals_are_told_without_payloads() -> None:
    ctx = BatchContext()
    answer(
        ctx,
        request_of(
            ("a", "fail", {"reason": SECRET}),
            ("b", "price_of", {SECRET: 1}),
            ("c", "lost\nline", {}),
        ),
    )
    assert lines_of(ctx) == [
        "tool call refused tool='price_of' id='b' reason=InvalidArguments",
        "tool call refused tool='lost\\nline' id='c' reason=UnknownTool",
        "tool call started tool='fail' id='a' attempt=1",
        "tool call ended tool='fail' id='a' status=FAILED latency_ms=N attempt=1 "
        "replayed=false reconciled=false",
    ]
    assert SECRET not in "".join(ctx.telemetry.lines)
    assert ctx.telemetry.counters == {"toolCalls": 3, "toolFailures": 3, "toolRefused": 2}


def test_replays_start_nothing() -> None:
    request = request_of(("a", "price_of", {"item": "tea"}))
    before, after = BatchContext(), BatchContext()
    answer(before, request)
    after.journal = before.journal
    answer(after, request)
    assert lines_of(after) == [
        "tool call ended tool='price_of' id='a' status=SUCCEEDED latency_ms=N attempt=1 "
        "replayed=true reconciled=false"
    ]
    assert after.telemetry.counters == {"toolCalls": 1, "toolReplayed": 1}
    assert after.telemetry.recorded == []


def test_a_call_in_doubt_is_reconciled() -> None:
    outside = Outside()
    outside.found = "found it"
    ctx = BatchContext()
    ctx.in_doubt = {"tool-call-a"}
    booking = tool(reconciler=outside.find)(outside.book)
    answer(ctx, request_of(("a", "book", {"seat": "A"})), ToolRegistry([booking]))
    assert lines_of(ctx) == [
        "tool call ended tool='book' id='a' status=SUCCEEDED latency_ms=N attempt=1 "
        "replayed=false reconciled=true"
    ]
    assert ctx.telemetry.counters == {"toolCalls": 1, "toolReconciled": 1}


@pytest.mark.parametrize("status", [CallStatus.TIMED_OUT, CallStatus.NOT_STARTED])
def test_calls_that_time_ran_out_for(status: CallStatus) -> None:
    ctx = Scripted(CallOutcome(error=TimeoutError(), status=status, attempt=2, duration=1.5))
    answer(ctx, request_of(("a", "price_of", {"item": "tea"})))
    assert ctx.telemetry.lines == [
        f"tool call ended tool='price_of' id='a' status={status.value} latency_ms=1500 attempt=2 "
        "replayed=false reconciled=false"
    ]
    assert ctx.telemetry.counters["toolFailures"] == 1
    assert ctx.telemetry.counters["toolTimeouts"] == (status is CallStatus.TIMED_OUT)


def test_where_there_is_no_telemetry_lines_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    request = request_of(("a", "price_of", {"item": "tea"}))
    with caplog.at_level(logging.INFO, "pyflink_durable"):
        asyncio.run(call_tools(LocalRunnerContext(), SHOP, request))
    assert [record.message.split(" tool=")[0] for record in caplog.records] == [
        "tool call started",
        "tool call ended",
    ]
    assert shop_tools.price_of.name in caplog.text
