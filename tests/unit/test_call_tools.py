"""`call_tools`: every tool call is answered, whatever becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
import shop_tools
from batches import BatchContext

from pyflink_durable import NOT_EXECUTED, NestedDurableCall, RunnerContext
from pyflink_durable.batch import CallOutcome, CallStatus, Outcomes
from pyflink_durable.errors import ConfigurationError, RemoteError
from pyflink_durable.tools import (
    Tool,
    ToolCall,
    ToolCallOptions,
    ToolContext,
    ToolRegistry,
    ToolRequestEvent,
    ToolResponseEvent,
    call_tools,
    call_tools_in_thread,
    tool,
)

SHOP = ToolRegistry([shop_tools.price_of, shop_tools.order, shop_tools.fail])
ADDRESS = {"street": "Main", "zip": "12345"}


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


class Scripted(BatchContext):
    """Gives outcomes that a test has written."""

    def __init__(self, *outcomes: CallOutcome) -> None:
        super().__init__()
        self._outcomes = Outcomes(outcomes)

    async def durable_execute_all_async(self, *args: Any, **kwargs: Any) -> Outcomes:
        return self._outcomes


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


# -------------------------------------------------------------------- a crash, and again


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
