"""Batches: which call has which slot, nesting, outcomes."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

import pytest
from batch_kit import (
    act,
    batch_of,
    blocking,
    by_id,
    call,
    ended,
    in_doubt,
    in_line,
    on_the_loop,
    statuses,
    ways,
)
from handler_bench import ByHand, HandlerBench

from pyflink_durable import (
    CallStatus,
    DurableCall,
    DurableExecutionError,
    DurableOptions,
    JournalMismatch,
    LocalRunnerContext,
)

CLEAR = DurableOptions(on_mismatch="clear")

# ---------------------------------------------------------------- identity


@ways
def test_another_order_finds_its_calls_by_their_ids(way: Any, executor: Any) -> None:
    slots = [ended("a", 1), ended("b", 0), ended("c", 2)]
    bench = HandlerBench(way(by_id("c", "a", "b")), executor, slots=slots)
    assert bench.run().values() == ["was c", "was a", "was b"]
    assert bench.slots == slots
    assert bench.telemetry.counters["mismatched"] == 0


@ways
def test_without_ids_another_order_is_a_mismatch(way: Any, executor: Any) -> None:
    slots = [ended(name, n, "batch_kit.act") for n, name in enumerate("abc")]
    calls = [call("a"), call("c"), call("b")]
    bench = HandlerBench(way(calls), executor, CLEAR, slots)
    assert bench.run().values() == ["was a", "ran c", "ran b"]
    assert bench.telemetry.counters["mismatched"] == 1

    strict = HandlerBench(way(calls), executor, DurableOptions(on_mismatch="fail"), slots)
    with pytest.raises(JournalMismatch, match="slot 1 of the journal"):
        strict.run()
    assert strict.slots == slots


@ways
def test_what_is_new_in_a_batch_takes_the_place_of_what_is_gone(way: Any, executor: Any) -> None:
    slots = [ended("a", 2), ended("gone", 0), ended("c", 1), ended("after", 3)]
    calls = by_id("new", "c", "a")
    bench = HandlerBench(way(calls), executor, CLEAR, slots)
    outcomes = bench.run()
    assert outcomes.values() == ["ran new", "was c", "was a"]
    assert [one.replayed for one in outcomes] == [False, True, True]
    assert bench.telemetry.counters["mismatched"] == 1
    # what was dropped with the wrong slot was written again
    found = {slot.function_id: slot for slot in bench.slots}
    assert list(found) == ["id-a", "id-new", "id-c"]
    assert sorted(found, key=lambda name: found[name].completion) == ["id-a", "id-c", "id-new"]


def test_a_call_in_doubt_stays_in_doubt_where_another_was_dropped(executor: Any) -> None:
    asked: list[str] = []

    def look_up() -> str:
        asked.append("b")
        return "found b"

    calls = [call("new", "id-new"), call("b", "id-b", reconciler=look_up), call("c", "id-c")]
    gone = ended("gone", 0)._replace(repeatable=1)
    slots = [gone, in_doubt("b")._replace(attempt=3), in_line("c")]
    bench = HandlerBench(batch_of(calls), executor, slots=slots)
    outcomes = bench.run()
    assert outcomes.values() == ["ran new", "found b", "ran c"]
    assert [one.reconciled for one in outcomes] == [False, True, False]
    assert [one.attempt for one in outcomes] == [1, 3, 1]
    assert asked == ["b"]


@ways
def test_other_arguments_under_an_id_are_another_call(way: Any, executor: Any) -> None:
    changed = [DurableCall(act, ("x",), durable_id="id-a")]
    bench = HandlerBench(way(changed), executor, CLEAR, [ended("a", 0)])
    assert bench.run().values() == ["ran x"]
    assert bench.telemetry.counters["mismatched"] == 1


@ways
def test_equal_siblings_stay_distinct(way: Any, executor: Any) -> None:
    numbers = iter(range(99))

    def count() -> int:
        return next(numbers)

    calls = [DurableCall(count)] * 4
    bench = HandlerBench(way(calls), executor)
    answers = bench.run().values()
    assert sorted(answers) == [0, 1, 2, 3]
    assert bench.again().run().values() == answers
    kept = bench.slots[:3]
    assert HandlerBench(way(calls), executor, slots=kept).run().values() == [*answers[:3], 4]


def test_duplicates_are_refused_before_anything_is_written(executor: Any) -> None:
    for way in (batch_of, blocking, on_the_loop):
        bench = HandlerBench(way(by_id("a", "a")), executor)
        with pytest.raises(ValueError, match="'id-a': a replay finds"):
            bench.run()
        assert bench.slots == []


def test_on_the_loop_what_cannot_work_is_refused(executor: Any) -> None:
    async def later() -> None: ...

    async def in_time(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute_all([call("a")], timeout=1)

    for handler, error in [
        (on_the_loop([call("a"), DurableCall(later)]), TypeError),
        (in_time, DurableExecutionError),
    ]:
        bench = HandlerBench(handler, executor)
        with pytest.raises(error, match=re.escape("use `await") + "|coroutine function"):
            bench.run()
        assert bench.slots == []


# ---------------------------------------------------------------- slots


def test_all_have_a_slot_before_the_first_starts_and_in_line_is_not_in_doubt() -> None:
    hands = ByHand()
    bench = HandlerBench(batch_of(by_id("a", "b", "c", "d"), max_parallelism=2), hands).start()
    assert bench.statuses == ["PENDING", "PENDING", "SCHEDULED", "SCHEDULED"]
    assert list(hands.started) == ["a", "b"]
    hands.started["b"]("done")
    bench.operator.loop.drain()
    assert bench.statuses == ["PENDING", "SUCCEEDED", "PENDING", "SCHEDULED"]
    hands.started.clear()
    again = bench.again().start()
    assert list(hands.started) == ["a", "c"]
    assert [slot.attempt for slot in again.slots] == [2, 1, 2, 1]


def test_batches_in_batches_of_tasks_and_in_gather(executor: Any) -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        async def two(name: str) -> Any:
            first = await ctx.durable_execute_all_async(by_id(f"{name}1", f"{name}2"))
            return await ctx.durable_execute_all_async([call(one) for one in first.values()])

        single = ctx.durable_execute_async(act, "single")
        gathered = await ctx.gather(two("x"), single, two("y"), _fail())
        return gathered

    bench = HandlerBench(handler, executor)
    outcomes = bench.run()
    assert statuses(outcomes) == ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED"]
    assert outcomes[0].value.values() == ["ran ran x1", "ran ran x2"]
    assert outcomes[1].value == "ran single"
    # those of a batch are neighbours
    ids = [slot.function_id for slot in bench.slots]
    for name in "xy":
        assert ids.index(f"id-{name}2") == ids.index(f"id-{name}1") + 1
    kept = bench.slots[:]
    again = bench.again()
    assert statuses(again.run()) == statuses(outcomes)
    assert again.slots == kept
    assert again.telemetry.counters["replayed"] == len(kept) == 9


async def _fail() -> None:
    raise ValueError("refused")


# ---------------------------------------------------------------- outcomes


def test_outcomes_tell_all_and_can_raise(executor: Any) -> None:
    calls = [
        DurableCall(act, ("a",)),
        DurableCall(int, ("x",), durable_id="parse"),
        DurableCall(dict, ((1, 2),), durable_id="make"),
    ]
    bench = HandlerBench(batch_of(calls), executor)
    for replayed in (False, True):
        outcomes = bench.run()
        assert [one.replayed for one in outcomes] == [replayed] * 3
        assert statuses(outcomes) == ["SUCCEEDED", "FAILED", "FAILED"]
        assert outcomes[0].unwrap() == "ran a"
        with pytest.raises(ValueError, match="invalid literal"):
            outcomes.raise_first()
        with pytest.raises(Exception, match="2 of 3 calls") as group:
            outcomes.raise_group()
        kinds = [type(error) for error in group.value.exceptions]  # type: ignore[attr-defined]
        assert kinds == [ValueError, TypeError]
        bench = bench.again()
    assert outcomes[0].status is CallStatus.SUCCEEDED


@pytest.mark.parametrize("form", ["async", "on the loop", "def"])
@pytest.mark.parametrize("local", [False, True])
def test_an_infinite_timeout_is_none(form: str, local: bool, executor: Any) -> None:
    calls = [DurableCall(act, ("a",), timeout=math.inf)]

    async def handler(value: Any, ctx: Any) -> Any:
        if form == "async":
            return await ctx.durable_execute_all_async(calls, timeout=math.inf)
        return ctx.durable_execute_all(calls, timeout=math.inf)

    def blocking_handler(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute_all(calls, timeout=math.inf)

    if local:
        ctx = LocalRunnerContext()
        outcomes = blocking_handler(1, ctx) if form == "def" else asyncio.run(handler(1, ctx))
    else:
        bench = HandlerBench(blocking_handler if form == "def" else handler, executor)
        outcomes = bench.run()
        assert len(bench.slots) == 1
    assert outcomes.values() == ["ran a"]
