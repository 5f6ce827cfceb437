"""Calls whose durable_id is their whole identity."""

from __future__ import annotations

from typing import Any

import pytest
from handler_bench import HandlerBench

from pyflink_durable import DurableCall, DurableOptions, JournalMismatch
from pyflink_durable.runtime.execution.executors import CallExecutor

BY_ID = DurableOptions(identity="durable_id", on_mismatch="fail")
BY_ARGUMENTS = DurableOptions(on_mismatch="fail")


class Unreadable:
    """An argument that a digest would have to look at."""

    def __reduce__(self) -> Any:
        raise TypeError("looked at")


def size_of(history: Any) -> str:
    return type(history).__name__


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
