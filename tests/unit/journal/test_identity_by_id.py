"""Calls whose durable_id is their whole identity."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from handler_bench import HandlerBench

from pyflink_durable import CallOptions, DurableCall, DurableOptions, JournalMismatch
from pyflink_durable.runtime.execution.executors import CallExecutor

BY_ID = DurableOptions(identity="durable_id", on_mismatch="fail")
BY_ARGUMENTS = DurableOptions(on_mismatch="fail")
BY_ID_HERE = CallOptions(identity="durable_id")


class Unreadable:
    """An argument that a digest would have to look at."""

    def __reduce__(self) -> Any:
        raise TypeError("looked at")


def size_of(history: Any) -> str:
    return type(history).__name__


SIZE = (size_of, ([1],))


def asks(history: Any, durable_id: str | None = "turn-1") -> Any:
    async def handler(value: str, ctx: Any) -> Any:
        return await ctx.durable_execute_async(size_of, history, durable_id=durable_id)

    return handler


def over(bench: HandlerBench, handler: Any, executor: CallExecutor, options: Any) -> HandlerBench:
    return HandlerBench(handler, executor, options, tuple(bench.journal.slots))


def test_arguments_are_not_looked_at(executor: CallExecutor) -> None:
    bench = HandlerBench(asks(Unreadable()), executor, BY_ID)
    assert bench.run() == "Unreadable"
    assert bench.slots[0][:2] == ("turn-1", "durable_id")


def test_calls_without_an_id_go_by_their_arguments(executor: CallExecutor) -> None:
    bench = HandlerBench(asks([1], durable_id=None), executor, BY_ID)
    assert bench.run() == "list"
    assert bench.slots[0].args_digest.startswith("2:")


@pytest.mark.one_run
def test_other_arguments_are_the_same_call_and_another_id_is_not(executor: CallExecutor) -> None:
    bench = HandlerBench(asks([1]), executor, BY_ID)
    bench.run()
    assert over(bench, asks((1, 2)), executor, BY_ID).run() == "list"
    with pytest.raises(JournalMismatch):
        over(bench, asks([1], "turn-2"), executor, BY_ID).run()
    with pytest.raises(JournalMismatch):
        over(bench, asks([1], None), executor, BY_ID).run()


@pytest.mark.one_run
@pytest.mark.parametrize(("before", "after"), [(BY_ARGUMENTS, BY_ID), (BY_ID, BY_ARGUMENTS)])
def test_the_option_may_change_in_flight(
    before: DurableOptions, after: DurableOptions, executor: CallExecutor
) -> None:
    bench = HandlerBench(asks([1]), executor, before)
    bench.run()
    again = over(bench, asks([1]), executor, after)
    assert again.run() == "list"
    assert again.slots == bench.slots


@pytest.mark.one_run
def test_calls_of_a_batch_are_found_by_it(executor: CallExecutor) -> None:
    def batch(*names: str) -> Any:
        async def handler(value: str, ctx: Any) -> Any:
            calls = [DurableCall(str.upper, (name,), durable_id=name) for name in names]
            return (await ctx.durable_execute_all_async(calls)).values()

        return handler

    bench = HandlerBench(batch("a", "b"), executor, BY_ID)
    assert bench.run() == ["A", "B"]
    again = over(bench, batch("b", "a"), executor, BY_ID)
    assert again.run() == ["B", "A"]
    assert again.telemetry.counters["executed"] == 0


# ---------------------------------------------------------------- of one call


@pytest.mark.parametrize(
    ("operator", "of_call", "digested"),
    [
        (BY_ARGUMENTS, "durable_id", False),
        (BY_ARGUMENTS, "arguments", True),
        (BY_ARGUMENTS, None, True),
        (BY_ID, "arguments", True),
        (BY_ID, "durable_id", False),
        (BY_ID, None, False),
    ],
)
def test_a_call_says_what_the_operator_does_not(
    operator: DurableOptions, of_call: Any, digested: bool, executor: CallExecutor
) -> None:
    options = CallOptions(identity=of_call, durable_id="turn-1")

    async def handler(value: str, ctx: Any) -> Any:
        call = DurableCall(size_of, ([1],), durable_id="in a batch", identity=of_call)
        return [
            await ctx.durable_execute_async(size_of, [1], options=options),
            await ctx.durable_execute_async(size_of, [1], options=options, timeout=100),
            ctx.durable_execute(size_of, [1], options=options, durable_id="other"),
            *(await ctx.durable_execute_all_async([call])).values(),
            *(await ctx.durable_execute_all_async([DurableCall(*SIZE, options=options)])).values(),
        ]

    bench = HandlerBench(handler, executor, operator)
    assert bench.run() == ["list"] * 5
    assert [slot.args_digest != "durable_id" for slot in bench.slots] == [digested] * 5


def test_a_call_without_an_id_goes_by_its_arguments(executor: CallExecutor) -> None:
    async def handler(value: str, ctx: Any) -> Any:
        return await ctx.durable_execute_async(size_of, [1], options=BY_ID_HERE)

    bench = HandlerBench(handler, executor, BY_ARGUMENTS)
    assert bench.run() == "list"
    assert bench.slots[0].args_digest.startswith("2:")


def test_identity_of_a_function_is_its_own(executor: CallExecutor) -> None:
    """It is a word of functions: a keyword of this name is theirs."""

    def greet(identity: str) -> str:
        return identity

    async def handler(value: str, ctx: Any) -> Any:
        plain = await ctx.durable_execute_async(greet, identity="ann")
        return [plain, await ctx.durable_execute_async(greet, identity="bob", options=BY_ID_HERE)]

    assert HandlerBench(handler, executor, BY_ARGUMENTS).run() == ["ann", "bob"]


@pytest.mark.parametrize("make", [CallOptions, partial(DurableCall, size_of)])
def test_another_identity_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="identity must be one of None, 'arguments', 'durable_id'"):
        make(identity="id")
