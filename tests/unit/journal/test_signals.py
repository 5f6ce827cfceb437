"""Waits for signals: each signal is taken once, and every run of a handler gets the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from handler_bench import ByHand, HandlerBench
from loops import Clock
from signal_bench import SignalBench

from pyflink_durable import (
    CallNotAwaited,
    DurableExecutionError,
    DurableOptions,
    FileCallLog,
    JournalMismatch,
    LocalRunnerContext,
    Signal,
    SignalTimedOut,
)
from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.loop import loop as loop_module


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (loop_module, times):
        monkeypatch.setattr(module, "time", clock)
    return clock


async def asks(value: Any, ctx: Any) -> Any:
    return await ctx.wait_for_signal("approval", timeout=60)


async def asks_twice(value: Any, ctx: Any) -> Any:
    return [await ctx.wait_for_signal("approval"), await ctx.wait_for_signal("approval")]


def approval(value: Any, **more: Any) -> Signal:
    return Signal("approval", value, **more)


def test_a_signal_answers_the_wait_and_is_gone() -> None:
    bench = SignalBench(asks)
    bench.start()
    assert bench.drain().answer is None
    bench.signal(approval("yes"), approval("another"))
    assert bench.answer == "yes"
    assert bench.signals.left == ["another"]


def test_signals_that_came_before_the_wait_answer_it_in_their_order() -> None:
    bench = SignalBench(asks_twice)
    bench.signal(Signal("other", 0), approval("first"), approval("second"), approval("third"))
    bench.start()
    assert bench.drain().answer == ["first", "second"]
    assert bench.signals.left == [0, "third"]


def test_a_signal_for_another_invocation_is_not_taken() -> None:
    bench = SignalBench(asks)
    bench.start()
    bench.signal(approval("theirs", invocation=4), approval("mine", invocation=3))
    assert bench.answer == "mine"
    assert bench.signals.left == ["theirs"]


def test_an_error_signal_raises_in_the_handler_in_every_run() -> None:
    async def handler(value: Any, ctx: Any) -> str:
        try:
            await ctx.wait_for_signal("approval")
        except PermissionError as error:
            await ctx.wait_for_signal("more")
            return str(error)
        return "never"

    bench = SignalBench(handler)
    bench.start()
    bench.signal(Signal.error("approval", PermissionError("not you")))
    again = bench.crash()
    assert again.signal(Signal("more")).answer == "not you"


def test_what_was_taken_is_given_again_after_a_failure_and_not_taken_again() -> None:
    bench = SignalBench(asks_twice)
    bench.start()
    bench.signal(approval("first"))
    again = bench.crash()
    assert again.slots[0] == bench.slots[0]
    assert again.signal(approval("second")).answer == ["first", "second"]
    assert again.signals.left == []


def test_a_signal_that_came_before_the_failure_and_was_not_taken_is_taken_after_it() -> None:
    bench = SignalBench(asks)
    bench.start()
    bench.signals.put(approval("yes"))  # the failure comes before the next step
    assert bench.crash().answer == "yes"


def test_a_wait_is_over_at_its_deadline_and_takes_nothing(clock: Clock) -> None:
    bench = SignalBench(asks)
    bench.start()
    clock.now += 59
    assert bench.drain().answer is None
    clock.now += 2
    bench.drain()
    with pytest.raises(SignalTimedOut, match="no signal 'approval' came in 60 seconds"):
        _ = bench.answer
    bench.signal(approval("late"))
    assert bench.signals.left == ["late"]


def test_the_deadline_is_that_of_the_first_run(clock: Clock) -> None:
    bench = SignalBench(asks)
    bench.start()
    clock.now += 50
    again = bench.crash()
    clock.now += 11
    again.drain()
    with pytest.raises(SignalTimedOut):
        _ = again.answer


async def falls_back(value: Any, ctx: Any) -> Any:
    try:
        first = await ctx.wait_for_signal("approval", timeout=60)
    except SignalTimedOut:
        first = "nobody"
    return [first, await ctx.wait_for_signal("approval")]


def test_a_deadline_that_was_first_stays_first_in_a_replay(clock: Clock) -> None:
    bench = SignalBench(falls_back)
    bench.start()
    clock.now += 61
    bench.drain()
    bench.signals.put(approval("late"))
    assert bench.crash().answer == ["nobody", "late"]


def test_a_signal_that_was_first_stays_first_in_a_replay(clock: Clock) -> None:
    bench = SignalBench(falls_back)
    bench.start()
    bench.signal(approval("in time"))
    clock.now += 3_600
    again = bench.crash()
    assert again.signal(approval("more")).answer == ["in time", "more"]


def test_a_signal_that_waits_when_an_overdue_deadline_is_met_comes_first(clock: Clock) -> None:
    bench = SignalBench(falls_back)
    bench.start()
    bench.signals.put(approval("in time"))  # the failure comes before the next step
    clock.now += 3_600
    again = bench.crash()
    assert again.signal(approval("more")).answer == ["in time", "more"]


def test_a_deadline_that_passed_during_the_failure_ends_the_wait(clock: Clock) -> None:
    bench = SignalBench(falls_back)
    bench.start()
    clock.now += 3_600
    again = bench.crash()
    assert again.signal(approval("late")).answer == ["nobody", "late"]


async def gives_up(value: Any, ctx: Any) -> Any:
    try:
        first = await asyncio.wait_for(ctx.wait_for_signal("approval"), 60)
    except (TimeoutError, asyncio.TimeoutError):
        first = "nobody"
    return [first, await ctx.wait_for_signal("approval")]


def test_a_wait_that_was_cancelled_takes_nothing(clock: Clock) -> None:
    bench = SignalBench(gives_up)
    bench.start()
    clock.now += 61
    bench.drain()
    assert bench.signal(approval("late")).answer == ["nobody", "late"]


def test_a_wait_that_was_cancelled_takes_nothing_in_a_replay_either(clock: Clock) -> None:
    bench = SignalBench(gives_up)
    bench.start()
    clock.now += 61
    bench.drain()
    bench.signals.put(approval("late"))
    again = bench.crash()
    assert again.answer == ["nobody", "late"]
    assert again.signals.left == []


def test_a_timeout_around_a_wait_that_the_signal_won_is_won_by_it_in_a_replay(
    clock: Clock,
) -> None:
    bench = SignalBench(gives_up)
    bench.start()
    bench.signal(approval("in time"))
    clock.now += 3_600
    assert bench.crash().signal(approval("more")).answer == ["in time", "more"]


def test_waits_of_one_handler_are_answered_in_the_order_in_which_they_began() -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        return await asyncio.gather(
            ctx.wait_for_signal("approval"),
            ctx.wait_for_signal("other"),
            ctx.wait_for_signal("approval"),
        )

    bench = SignalBench(handler)
    bench.start()
    bench.signal(approval("a"))
    again = bench.crash()
    again.signal(approval("b"), Signal("other", "c"))
    assert again.answer == ["a", "c", "b"]


def test_concurrent_answers_resolve_in_a_replay_in_the_order_in_which_they_came() -> None:
    seen: list[list[str]] = []

    async def handler(value: Any, ctx: Any) -> None:
        order: list[str] = []
        seen.append(order)

        async def wait(name: str) -> None:
            order.append(await ctx.wait_for_signal(name))

        await asyncio.gather(wait("a"), wait("b"))
        await ctx.wait_for_signal("end")

    bench = SignalBench(handler)
    bench.start()
    bench.signal(Signal("b", "b"))
    bench.signal(Signal("a", "a"))
    bench.crash()
    assert seen == [["b", "a"], ["b", "a"]]


def test_a_look_at_pending_signals_takes_none_and_is_the_same_in_every_run() -> None:
    looks: list[list[Any]] = []

    async def handler(value: Any, ctx: Any) -> Any:
        looks.append([signal.value for signal in ctx.pending_signals("approval")])
        return await ctx.wait_for_signal("go")

    bench = SignalBench(handler)
    bench.signal(approval(1), Signal("other", 2), approval(3, invocation=99), approval(4))
    bench.start()
    bench.signal(approval(5))
    again = bench.crash()
    assert looks == [[1, 4], [1, 4]]
    again.signal(Signal("go", "gone"))
    assert again.answer == "gone"
    assert again.signals.left == [1, 2, 3, 4, 5]


def test_what_the_log_holds_as_taken_is_told_to_the_state(tmp_path: Path) -> None:
    log = FileCallLog(directory=str(tmp_path))
    options = DurableOptions(durability="write-ahead", call_log=log)
    bench = SignalBench(asks_twice, options=options)
    bench.start()
    bench.signal(approval("first", id="id7"))
    bench.release(0)
    again = bench.crash()
    assert again.signals.told == [(0, "id7")]


def test_the_value_waits_for_the_log(tmp_path: Path) -> None:
    log = FileCallLog(directory=str(tmp_path))
    options = DurableOptions(durability="write-ahead", call_log=log)
    bench = SignalBench(asks, options=options)
    bench.start()
    bench.signal(approval("yes"))
    assert bench.answer is None
    bench.release(0)
    assert bench.answer == "yes"


def test_a_signal_in_the_journal_is_not_dropped_with_another_path() -> None:
    path = ["approval"]

    async def handler(value: Any, ctx: Any) -> None:
        await ctx.wait_for_signal(path[0])
        await ctx.wait_for_signal("more")

    bench = SignalBench(handler)
    bench.start()
    bench.signal(approval("yes"))
    path[0] = "changed"
    again = bench.crash()
    with pytest.raises(JournalMismatch, match=r"slot 0, signal approval: SUCCEEDED"):
        _ = again.answer


def test_a_wait_that_is_never_awaited_fails_the_handler() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        ctx.wait_for_signal("approval")

    bench = SignalBench(handler)
    bench.start()
    with pytest.raises(CallNotAwaited, match=r"ctx\.wait_for_signal"):
        _ = bench.answer


def test_a_handler_that_has_ended_takes_no_signal() -> None:
    async def handler(value: Any, ctx: Any) -> str:
        task = asyncio.create_task(ctx.wait_for_signal("approval"))
        await asyncio.sleep(0)
        task.cancel()
        return "done"

    bench = SignalBench(handler)
    bench.start()
    assert bench.signal(approval("late")).answer == "done"
    assert bench.signals.left == ["late"]


@pytest.mark.parametrize("ask", ["wait_for_signal", "pending_signals"])
def test_an_operator_without_signals_says_so(ask: str) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        getattr(ctx, ask)("approval")

    with pytest.raises(DurableExecutionError, match=r"durable_process\(\.\.\., signals=stream\)"):
        HandlerBench(handler, ByHand()).run()


def test_a_def_handler_is_told_that_it_cannot_wait(executor: Any) -> None:
    def handler(value: Any, ctx: Any) -> None:
        ctx.wait_for_signal("approval")

    with pytest.raises(DurableExecutionError, match="`async def` handler"):
        SignalBench(handler, executor).run()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Signal(""), "1 to 1000 characters"),
        (lambda: Signal(7), "name of a signal must be a str"),  # type: ignore[arg-type]
        (lambda: Signal("a", id=7), "id of a signal must be a str"),  # type: ignore[arg-type]
        (lambda: Signal("a", invocation=1.5), "a str or an int"),  # type: ignore[arg-type]
        (lambda: Signal.error("a", "no"), "must be an exception"),  # type: ignore[arg-type]
    ],
)
def test_a_signal_that_cannot_be_is_refused_where_it_is_made(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_local_context_gives_its_signals_and_times_out_behind_them() -> None:
    signals = [approval("yes"), Signal.error("approval", KeyError("no"))]
    ctx = LocalRunnerContext(signals=signals)
    assert [signal.value for signal in ctx.pending_signals("approval")] == ["yes", None]
    assert asyncio.run(ctx.wait_for_signal("approval")) == "yes"
    with pytest.raises(KeyError):
        asyncio.run(ctx.wait_for_signal("approval"))
    with pytest.raises(SignalTimedOut):
        asyncio.run(ctx.wait_for_signal("approval", timeout=5))
