"""Batches: their time, the gate and the log, cancellation."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from batch_kit import act, batch_of, blocking, by_id, call, ended, in_doubt, statuses
from bridges import SixMethods, own_slot
from handler_bench import ByHand, HandlerBench
from loops import Clock, wait_until

from pyflink_durable import (
    CallLogError,
    DurableCall,
    DurableExecutionError,
    DurableOptions,
    FileCallLog,
    PayloadNotLoadable,
)
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.loop import loop as loop_module
from pyflink_durable.runtime.loop import wake_ups
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

# ---------------------------------------------------------------- the time of a batch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (loop_module, wake_ups, times):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_the_time_gives_up_what_runs_and_what_is_in_line_alike_in_each_run(clock: Clock) -> None:
    hands = ByHand()
    handler = batch_of(by_id("a", "b", "c", "d"), max_parallelism=2, timeout=5)
    bench = HandlerBench(handler, hands).start()
    hands.started["a"]("done")
    bench.operator.loop.drain()
    clock.now += 5.1
    bench.operator.loop.drain()
    expected = ["SUCCEEDED", "TIMED_OUT", "TIMED_OUT", "NOT_STARTED"]
    [outcome] = bench.ended
    assert statuses(outcome.value) == expected
    assert [one.attempt for one in outcome.value] == [1, 1, 1, 0]
    assert bench.statuses == ["SUCCEEDED", "PENDING", "PENDING", "SCHEDULED", "SUCCEEDED"]

    hands.started["b"]("too late")
    bench.operator.loop.drain()
    assert bench.statuses[1] == "PENDING"
    hands.started.clear()
    again = bench.again().start()
    [replayed] = again.ended
    assert statuses(replayed.value) == expected
    assert [one.attempt for one in replayed.value] == [1, 1, 1, 0]
    assert hands.started == {}  # neither made again nor started at last


def test_a_time_that_passed_while_the_job_was_down_starts_nothing(clock: Clock) -> None:
    hands = ByHand()
    handler = batch_of(by_id("a", "b", "c"), max_parallelism=1, timeout=5)
    slots = HandlerBench(handler, hands).start().slots
    assert list(hands.started) == ["a"]
    hands.started.clear()
    clock.now += 6
    again = HandlerBench(handler, hands, slots=[ended("a", 0), *slots[1:]]).start()
    [outcome] = again.ended
    assert statuses(outcome.value) == ["SUCCEEDED", "NOT_STARTED", "NOT_STARTED"]
    assert hands.started == {}


def test_a_call_between_two_attempts_has_not_happened_for_certain(clock: Clock) -> None:
    slots = [in_doubt("a")._replace(attempt=2, due=2**50), own_slot("TIMER", due=1, repeatable=0)]
    bench = HandlerBench(batch_of(by_id("a"), timeout=5), ByHand(), slots=slots).start()
    [outcome] = bench.ended
    assert (statuses(outcome.value), outcome.value[0].attempt) == (["TIMED_OUT"], 1)


def test_the_time_of_a_def_handler_is_the_same_in_each_run(executor: Any) -> None:
    go = threading.Event()
    ran: list[str] = []

    def stay(name: str) -> str:
        ran.append(name)
        go.wait(30)
        return name

    calls = [call("a", "id-a")] + [
        DurableCall(stay, (name,), durable_id=f"id-{name}") for name in "bcd"
    ]
    handler = blocking(calls, max_parallelism=2, timeout=0.2)
    bench = HandlerBench(handler, executor)
    outcomes = bench.run()
    expected = ["SUCCEEDED", "TIMED_OUT", "TIMED_OUT", "NOT_STARTED"]
    assert statuses(outcomes) == expected
    assert bench.statuses == ["SUCCEEDED", "PENDING", "PENDING", "SCHEDULED", "SUCCEEDED"]
    go.set()
    for slots in (
        bench.slots,
        [
            *bench.slots[:4],
            bench.slots[4]._replace(status="PENDING", result=None, completion=-1, due=1),
        ],
    ):
        again = bench.again(slots)
        assert statuses(again.run()) == expected
        assert again.statuses == bench.statuses
    assert sorted(ran) == ["b", "c"]


def test_what_ended_after_the_time_was_over_stays_given_up(executor: Any) -> None:
    timer = own_slot("BATCH_TIMER", status="SUCCEEDED", result=dump_result(None), completion=1)
    slots = [ended("a", 0), ended("b", 2), timer]
    bench = HandlerBench(blocking(by_id("a", "b"), timeout=9), executor, slots=slots)
    assert statuses(bench.run()) == ["SUCCEEDED", "TIMED_OUT"]


def test_over_the_six_methods_a_batch_has_no_time(executor: Any) -> None:
    async def main() -> Any:
        ctx = FlinkRunnerContext(SixMethods(), executor)
        assert (await ctx.durable_execute_all_async(by_id("a", "b"))).values() == ["ran a", "ran b"]
        return await ctx.durable_execute_all_async(by_id("c"), timeout=1)

    with pytest.raises(DurableExecutionError, match="cannot have a timeout"):
        asyncio.run(main())


# ---------------------------------------------------------------- the gate, the log, the end


def write_ahead(folder: Path) -> DurableOptions:
    return DurableOptions(durability="write-ahead", call_log=FileCallLog(directory=str(folder)))


def test_at_the_gated_level_each_waits_for_its_turn_and_then_at_the_gate() -> None:
    hands = ByHand()
    calls = by_id("a", "b", "c", durability="gated")
    bench = HandlerBench(batch_of(calls, max_parallelism=2), hands).start()
    assert bench.journal.held == [(0, "CHECKPOINT"), (1, "CHECKPOINT")]
    assert (bench.statuses, hands.started) == (["PENDING", "PENDING", "SCHEDULED"], {})
    bench.release(1)
    assert list(hands.started) == ["b"]
    hands.started["b"]("done")
    bench.operator.loop.drain()
    assert bench.journal.held[2:] == [(2, "CHECKPOINT")]
    assert list(hands.started) == ["b"]
    bench.release(2)
    bench.release(0)
    assert list(hands.started) == ["b", "c", "a"]


@pytest.mark.parametrize("way", [batch_of, blocking])
def test_what_the_log_did_not_take_is_no_outcome_of_a_call(
    way: Any, executor: Any, tmp_path: Path
) -> None:
    options = DurableOptions(
        durability="write-ahead", call_log=FileCallLog(directory=str(tmp_path))
    )
    calls = by_id("a", "b", durability="write-ahead")
    bench = HandlerBench(way(calls), executor, options).start()
    wait_until(lambda: len(bench.journal.held) == 2)
    bench.release(1, "no space")
    bench.release(0)
    with pytest.raises(CallLogError, match="no space"):
        bench.result()


def test_the_time_of_a_def_handlers_batch_waits_for_the_log(executor: Any, tmp_path: Path) -> None:
    options = DurableOptions(
        durability="write-ahead", call_log=FileCallLog(directory=str(tmp_path))
    )
    calls = [DurableCall(act, ("a",), durability="write-ahead")]
    bench = HandlerBench(blocking(calls, timeout=0.05), executor, options).start()
    # the call waits for the log until its time is over, which is then to be logged
    wait_until(lambda: len(bench.journal.held) == 2)
    assert bench.journal.held[1] == (1, "LOG")
    assert bench.ended == []
    bench.release(1)
    assert statuses(bench.result()) == ["NOT_STARTED"]
    assert bench.statuses == ["SCHEDULED", "SUCCEEDED"]


@pytest.mark.parametrize("way", [batch_of, blocking])
def test_a_result_that_cannot_be_read_back_is_no_failure_of_the_call(
    way: Any, executor: Any
) -> None:
    broken = ended("a", 0)._replace(result=b"?")
    with pytest.raises(PayloadNotLoadable):
        HandlerBench(way(by_id("a", "b")), executor, slots=[broken]).run()


def test_a_batch_that_is_cancelled_leaves_its_slots_as_they_are() -> None:
    hands = ByHand()

    async def handler(value: Any, ctx: Any) -> Any:
        batch = asyncio.ensure_future(
            ctx.durable_execute_all_async(by_id("a", "b", "c"), max_parallelism=2)
        )
        await ctx.durable_execute_async(act, "stop")
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        return await ctx.durable_execute_async(act, "after")

    bench = HandlerBench(handler, hands).start()
    hands.started["stop"]("now")
    bench.operator.loop.drain()
    hands.started["a"]("too late")
    bench.operator.loop.drain()
    assert bench.statuses == ["SUCCEEDED", "PENDING", "PENDING", "SCHEDULED", "PENDING"]
    hands.started.clear()
    bench.again().start()
    assert list(hands.started) == ["after"]  # nothing of what the handler gives up again
