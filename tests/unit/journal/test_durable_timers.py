"""Timers of handlers: their deadlines are in the journal, and a replay takes the same path."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bridges import Slot, own_slot
from handler_bench import ByHand, HandlerBench
from loops import Clock

from pyflink_durable import CallLogError, DurableExecutionError, DurableOptions, FileCallLog
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.loop import loop as loop_module
from pyflink_durable.runtime.loop import wake_ups


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (loop_module, wake_ups, times):
        monkeypatch.setattr(module, "time", clock)
    return clock


def millis(clock: Clock, seconds: float = 0) -> int:
    return int((clock.time() + seconds) * 1000)


def fired(completion: int) -> Slot:
    return own_slot("TIMER", status="SUCCEEDED", result=dump_result(None), completion=completion)


def charged(name: str, completion: int) -> Slot:
    digest = compute_args_digest((name,), {})
    return Slot("charge", digest, "SUCCEEDED", dump_result(f"charged {name}"), None, completion)


def charge(ctx: Any, name: str) -> Any:
    return ctx.durable_execute_async(str, name, durable_id="charge")


async def sleeps(value: Any, ctx: Any) -> str:
    await ctx.sleep(5)
    return "slept"


async def sleeps_plainly(value: Any, ctx: Any) -> str:
    await asyncio.sleep(5)
    return "slept"


async def waits_for(value: Any, ctx: Any) -> str:
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 5)
    except (TimeoutError, asyncio.TimeoutError):
        return "slept"
    return "never"


async def waits(value: Any, ctx: Any) -> str:
    task = asyncio.create_task(asyncio.Event().wait())
    done, _ = await asyncio.wait([task], timeout=5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return "never" if done else "slept"


async def takes_as_completed(value: Any, ctx: Any) -> str:
    task = asyncio.create_task(asyncio.Event().wait())
    try:
        for ended in asyncio.as_completed([task], timeout=5):
            await ended
    except (TimeoutError, asyncio.TimeoutError):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return "slept"
    return "never"


WAYS = [sleeps, sleeps_plainly, waits_for, waits, takes_as_completed]


@pytest.mark.parametrize("handler", WAYS)
def test_the_deadline_is_in_the_journal_and_the_fired_timer_after_it(
    clock: Clock, handler: Callable[..., Any]
) -> None:
    bench = HandlerBench(handler, ByHand()).start()
    assert bench.slots == [own_slot("TIMER", due=millis(clock, 5))]
    clock.now += 4.9
    bench.operator.loop.drain()
    assert bench.ended == []
    clock.now += 0.2
    bench.operator.loop.drain()
    assert bench.ended == [FunctionOutcome("slept", None)]
    assert bench.slots == [fired(0)]


@pytest.mark.parametrize("handler", WAYS)
def test_a_timer_that_has_fired_does_not_wait_again(
    clock: Clock, handler: Callable[..., Any]
) -> None:
    bench = HandlerBench(handler, ByHand(), slots=[fired(0)]).start()
    assert bench.ended == [FunctionOutcome("slept", None)]
    assert bench.operator.wakes_at == []
    assert bench.slots == [fired(0)]


def test_a_failure_before_the_deadline_does_not_extend_it(clock: Clock) -> None:
    first = HandlerBench(sleeps, ByHand()).start()
    clock.now += 3
    again = first.again().start()
    assert again.slots == first.slots
    [wake] = again.operator.wakes_at
    assert wake == pytest.approx(clock.time() + 2, abs=0.005)
    clock.now += 2.1
    again.operator.loop.drain()
    assert again.ended == [FunctionOutcome("slept", None)]


def test_a_deadline_that_has_passed_during_the_failure_fires_at_once(clock: Clock) -> None:
    first = HandlerBench(sleeps, ByHand()).start()
    clock.now += 3_600
    again = first.again().start()
    assert again.ended == [FunctionOutcome("slept", None)]
    assert again.operator.wakes_at == []


def test_a_deadline_that_has_passed_comes_before_a_call_in_doubt_and_after_what_has_ended(
    clock: Clock,
) -> None:
    deadline = own_slot("TIMER", due=millis(clock, 5))
    pending = charged("order", 0)._replace(status="PENDING", result=None, completion=-1)
    clock.now += 3_600
    for slot, path in [(pending, "timed out"), (charged("order", 0), "charged order")]:
        races, hands = Races(), ByHand()
        HandlerBench(races.handle, hands, slots=[deadline, slot]).start()
        assert races.paths == [path]
        assert list(hands.started) == [f"after {path}"]


def test_timers_replay_among_calls_in_the_order_of_completion(clock: Clock) -> None:
    seen: list[str] = []

    async def handler(value: Any, ctx: Any) -> None:
        async def sleep(name: str) -> None:
            await asyncio.sleep(5)
            seen.append(name)

        async def call(name: str) -> None:
            seen.append(await charge(ctx, name))

        await asyncio.gather(sleep("one"), call("a"), sleep("two"), call("b"))

    slots = [fired(2), charged("a", 3), fired(0), charged("b", 1)]
    bench = HandlerBench(handler, ByHand(), slots=slots).start()
    assert len(bench.ended) == 1
    assert seen == ["two", "charged b", "one", "charged a"]


class Races:
    """A handler that races a call against a timeout, and what it did then."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def handle(self, value: Any, ctx: Any) -> Any:
        try:
            first = await asyncio.wait_for(charge(ctx, "order"), 5)
        except (TimeoutError, asyncio.TimeoutError):
            first = "timed out"
        self.paths.append(first)
        return await charge(ctx, f"after {first}")


def test_a_race_that_the_call_won_is_won_by_it_on_replay(clock: Clock) -> None:
    races, hands = Races(), ByHand()
    bench = HandlerBench(races.handle, hands).start()
    hands.started["order"]("charged")
    bench.operator.loop.drain()
    clock.now += 3_600  # the deadline passes while the job is down
    again = bench.again().start()
    hands.started["after charged"]("done")
    again.operator.loop.drain()
    assert again.ended == [FunctionOutcome("done", None)]
    assert races.paths == ["charged"] * 2
    assert again.telemetry.counters["mismatched"] == 0


def test_a_race_that_the_timeout_won_is_won_by_it_on_replay(clock: Clock) -> None:
    races, hands = Races(), ByHand()
    bench = HandlerBench(races.handle, hands).start()
    clock.now += 5.1
    bench.operator.loop.drain()
    assert bench.statuses == ["SUCCEEDED", "PENDING", "PENDING"]
    hands.started.clear()
    bench.again().start()
    assert races.paths == ["timed out"] * 2
    # the call that was given up is not made again, the one after it is
    assert list(hands.started) == ["after timed out"]


@pytest.mark.parametrize("in_doubt", ["execute", "raise"])
def test_a_call_in_doubt_that_the_replay_gives_up_stays_in_doubt(
    clock: Clock, in_doubt: str
) -> None:
    races, hands = Races(), ByHand()
    pending = Slot("charge", compute_args_digest(("order",), {}))
    options = DurableOptions(in_doubt=in_doubt)  # type: ignore[arg-type]
    bench = HandlerBench(races.handle, hands, options, [fired(0), pending]).start()
    assert races.paths == ["timed out"]
    assert list(hands.started) == ["after timed out"]
    assert bench.slots[1] == pending


def test_a_sleep_of_zero_has_no_slot(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        await ctx.sleep(0)
        await asyncio.sleep(-1)
        return "done"

    bench = HandlerBench(handler, ByHand()).start()
    assert bench.ended == [FunctionOutcome("done", None)]
    assert bench.slots == []


def test_a_sleep_without_end_is_a_sleep(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        await asyncio.sleep(math.inf)

    bench = HandlerBench(handler, ByHand()).start()
    [slot] = bench.slots
    assert slot.due is not None
    assert millis(clock, 86_400) < slot.due < 2**63


def test_a_cancelled_timer_stays_scheduled_and_fires_neither_now_nor_on_replay(
    clock: Clock,
) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        await asyncio.wait_for(asyncio.sleep(0), 5)
        await asyncio.sleep(60)
        return "done"

    bench = HandlerBench(handler, ByHand()).start()
    clock.now += 10
    bench.operator.loop.drain()
    assert bench.statuses == ["SCHEDULED", "SCHEDULED"]
    again = bench.again().start()
    again.operator.loop.drain()
    assert again.statuses == ["SCHEDULED", "SCHEDULED"]
    clock.now += 55
    again.operator.loop.drain()
    assert again.ended == [FunctionOutcome("done", None)]
    assert again.statuses == ["SCHEDULED", "SUCCEEDED"]


def test_timers_of_the_clean_up_after_the_end_are_not_journaled(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(5)

    bench = HandlerBench(handler, ByHand()).start()
    bench.runner.close(float("inf"))
    assert bench.slots == []


def test_another_call_in_the_place_of_a_timer_is_a_mismatch(clock: Clock) -> None:
    slots = [charged(name, n)._replace(repeatable=1) for n, name in enumerate("ab")]
    bench = HandlerBench(sleeps, ByHand(), slots=slots).start()
    assert bench.slots == [own_slot("TIMER", due=millis(clock, 5))]
    assert bench.telemetry.counters["mismatched"] == 1


def test_a_timer_fires_when_the_log_has_it(clock: Clock, tmp_path: Path) -> None:
    options = DurableOptions(call_log=FileCallLog(directory=tmp_path))
    bench = HandlerBench(sleeps, ByHand(), options).start()
    clock.now += 5.1
    bench.operator.loop.drain()
    assert bench.slots == [fired(0)]
    assert bench.journal.held == [(0, "LOG")]
    assert bench.ended == []
    bench.release(0)
    assert bench.ended == [FunctionOutcome("slept", None)]


def test_a_timer_that_the_log_did_not_take_fails_the_task(clock: Clock, tmp_path: Path) -> None:
    options = DurableOptions(call_log=FileCallLog(directory=tmp_path))
    bench = HandlerBench(sleeps, ByHand(), options).start()
    clock.now += 5.1
    bench.operator.loop.drain()
    with pytest.raises(CallLogError, match="timer has fired is not safe: disk full"):
        bench.release(0, "disk full")
    assert bench.ended == []


def test_cancelled_timers_are_forgotten_before_their_time(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        first = asyncio.create_task(asyncio.sleep(5))  # none of the others becomes the earliest
        for _ in range(1_000):
            await asyncio.wait_for(asyncio.sleep(0), 3_600)
        await first

    bench = HandlerBench(handler, ByHand()).start()
    assert len(bench.operator.loop._wake_ups.timers) < 250
    clock.now += 5.1
    bench.operator.loop.drain()
    assert len(bench.ended) == 1


def test_sleep_is_refused_on_the_thread_of_a_handler(executor: Any) -> None:
    def handler(value: Any, ctx: Any) -> None:
        ctx.sleep(1)

    with pytest.raises(DurableExecutionError, match=r"ctx\.sleep needs an event loop"):
        HandlerBench(handler, executor).run()
