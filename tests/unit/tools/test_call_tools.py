"""`call_tools`: every tool call is answered, whatever becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import shop_tools
from batch_context import BatchContext
from tool_calls import SHOP, Scripted, answer, request_of

from pyflink_durable.batch import CallOutcome, CallStatus
from pyflink_durable.errors import ConfigurationError, RemoteError
from pyflink_durable.tools import (
    ToolCallOptions,
    ToolRegistry,
    call_tools_in_thread,
    tool,
)

ADDRESS = {"street": "Main", "zip": "12345"}


def test_every_call_is_answered_in_the_order_of_the_request() -> None:
    response = answer(
        BatchContext(key="c-1"),
        request_of(
            ("a", "fail", {"reason": "no stock"}),
            ("b", "order", {"items": ["tea", "cup"], "address": ADDRESS, "copies": 2}),
            ("c", "prices", {}),
            ("d", "price_of", {"item": 7}),
            ("e", "price_of", '{"item": "tea"}'),
        ),
    )
    assert response.model_dump() == {
        "type": "tool_response",
        "version": 1,
        "responses": {
            "b": {"order": "c-1/tea+cup", "total": "2", "day": "2025-01-02"},
            "e": {"item": "tea", "price": 3, "currency": "EUR"},
        },
        "success": {"a": False, "b": True, "c": False, "d": False, "e": True},
        "error": {
            "a": "LookupError: no stock",
            "c": "there is no tool 'prices'; the tools are: price_of, order, fail",
            "d": "item: Input should be a valid string, not 7",
        },
        "external_ids": dict.fromkeys("abcde"),
    }
    assert list(response.success) == list("abcde")


def test_the_calls_are_one_batch_and_named_by_their_ids() -> None:
    def look_up(arguments: dict[str, Any], tool_call_id: str) -> Any:
        return arguments, tool_call_id

    rules: dict[str, Any] = {
        "timeout": 3,
        "durability": "gated",
        "in_doubt": "raise",
        "retry": "a policy",
    }
    pay = tool(name="pay", reconciler=look_up, **rules)(shop_tools.price_of.func)
    ctx = BatchContext()
    answer(
        ctx,
        request_of(("a", "pay", {"item": "x"}), ("b", "pay", '{"item": "y"}'), ("c", "lost", {})),
        ToolRegistry([pay]),
    )
    ((kind, calls, limits),) = ctx.batches
    assert (kind, limits) == ("async", {"max_parallelism": None, "timeout": None})
    assert [call.durable_id for call in calls] == ["tool-call-a", "tool-call-b"]
    assert [call.args for call in calls] == [("pay", {"item": "x"}), ("pay", {"item": "y"})]
    assert {call.pool for call in calls} == {"tools"}
    for call in calls:
        assert {name: getattr(call, name) for name in rules} == rules
    reconciler: Any = calls[0].reconciler
    assert reconciler() == [{"item": "x", "currency": "EUR"}, "a"]


def test_nothing_is_called_if_there_is_nothing_to_call() -> None:
    ctx = BatchContext()
    assert answer(ctx, request_of()).success == {}
    assert answer(ctx, request_of(("a", "lost", {}))).success == {"a": False}
    assert ctx.batches == []


# -------------------------------------------------------------------- the table of the options

EVERY = {"max_parallelism": None, "timeout": None}
ONE = {"max_parallelism": 1, "timeout": None}


@pytest.mark.parametrize(
    ("options", "kind", "limits"),
    [
        ({}, "async", EVERY),
        ({"parallelism": 8}, "async", {"max_parallelism": 8, "timeout": None}),
        ({"timeout": 30}, "async", {"max_parallelism": None, "timeout": 30}),
        ({"parallel": False}, "async", ONE),
        ({"parallel": False, "parallelism": 8}, "async", ONE),
        ({"parallel": False, "timeout": 30}, "async", {"max_parallelism": 1, "timeout": 30}),
        ({"async_": False}, "sync", ONE),
        ({"async_": False, "parallel": False}, "sync", ONE),
        ({"async_": False, "parallelism": 8}, "sync", ONE),
    ],
)
@pytest.mark.parametrize("given_to", ["operator", "request"])
def test_what_each_combination_does(options: Any, kind: str, limits: Any, given_to: str) -> None:
    chosen = ToolCallOptions(**options)
    ctx = BatchContext(chosen if given_to == "operator" else None)
    request = request_of(("a", "price_of", {"item": "tea"}), ("b", "fail", {"reason": "no"}))
    registry = ToolRegistry([shop_tools.price_of, shop_tools.fail])
    response = answer(ctx, request, registry, chosen if given_to == "request" else None)
    assert response.success == {"a": True, "b": False}
    assert [(batch[0], batch[2]) for batch in ctx.batches] == [(kind, limits)]


def test_a_handler_on_a_thread_waits_there() -> None:
    ctx = BatchContext(ToolCallOptions(parallelism=3, timeout=9))
    request = request_of(("a", "price_of", {"item": "tea"}), ("b", "lost", {}))
    response = call_tools_in_thread(ctx, SHOP, request)
    assert response.success == {"a": True, "b": False}
    assert [(batch[0], batch[2]) for batch in ctx.batches] == [
        ("sync", {"max_parallelism": 3, "timeout": 9})
    ]
    assert call_tools_in_thread(ctx, SHOP, request_of()).success == {}


def test_coroutine_functions_need_async() -> None:
    request = request_of(("a", "price_of", {"item": "tea"}))
    with pytest.raises(ConfigurationError, match="tool order is a coroutine function"):
        answer(BatchContext(ToolCallOptions(async_=False)), request)


def test_threads_belong_to_the_operator() -> None:
    ctx = BatchContext(ToolCallOptions(num_threads=4))
    request = request_of(("a", "price_of", {"item": "tea"}))
    for options in (ToolCallOptions(parallelism=2), ToolCallOptions(num_threads=4)):
        assert answer(ctx, request, options=options).success == {"a": True}
    with pytest.raises(ConfigurationError, match="num_threads=8 is given to one request"):
        answer(ctx, request, options=ToolCallOptions(num_threads=8))


# -------------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (
            CallOutcome(error=TimeoutError("after 3.2 s"), status=CallStatus.TIMED_OUT),
            "the tool did not answer in time; it may or may not have done its work",
        ),
        (
            CallOutcome(error=TimeoutError(), status=CallStatus.NOT_STARTED),
            "the tool was not called: the time for all tools was over before its turn",
        ),
        (
            CallOutcome(error=RemoteError("shop.Sold", "tea"), status=CallStatus.FAILED),
            "shop.Sold: tea",
        ),
        (CallOutcome(error=KeyError("tea"), status=CallStatus.FAILED), "KeyError: 'tea'"),
        (CallOutcome(error=ValueError(), status=CallStatus.FAILED), "ValueError"),
    ],
)
def test_what_a_model_reads_of_a_failure(outcome: CallOutcome, text: str) -> None:
    response = answer(Scripted(outcome), request_of(("a", "price_of", {"item": "tea"})))
    assert response.error == {"a": text}


@dataclass
class Lock:
    """Pickle can write it; JSON cannot."""

    inner: object


def test_a_result_without_a_json_form_is_the_failure_of_its_tool() -> None:
    def lock_up() -> Any:
        return Lock(object())

    async def lock_up_later() -> Any:
        return object()

    registry = ToolRegistry([lock_up, lock_up_later, shop_tools.price_of])
    response = answer(
        BatchContext(),
        request_of(
            ("a", "lock_up", {}), ("b", "lock_up_later", {}), ("c", "price_of", {"item": "tea"})
        ),
        registry,
    )
    assert response.success == {"a": False, "b": False, "c": True}
    assert (
        "ResultNotSerializable: tool lock_up returned a Lock that has no JSON form"
        in (response.error["a"])
    )


def test_numbers_that_json_lacks_are_null_and_bytes_are_base64() -> None:
    def measure() -> Any:
        return {"nan": float("nan"), "raw": b"\xff"}

    response = answer(BatchContext(), request_of(("a", "measure", {})), ToolRegistry([measure]))
    assert response.responses == {"a": {"nan": None, "raw": "_w=="}}
