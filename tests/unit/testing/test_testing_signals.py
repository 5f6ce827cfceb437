"""The testing kit: signals, parked handlers, and crashes while a handler waits."""

from __future__ import annotations

from typing import Any

import pytest

from pyflink_durable import DurableOptions, NotInInvocation, RunnerContext, Signal, SignalTimedOut
from pyflink_durable.testing import (
    Case,
    CrashNotReached,
    Durable,
    Plan,
    SentSignal,
    StillWaiting,
    crash,
    crash_points,
)

DAY = 86_400.0


def refund(order: str) -> str:
    return f"refunded {order}"


async def asks(order: str, ctx: RunnerContext) -> str:
    try:
        answer = await ctx.wait_for_signal("approval", timeout=2 * DAY)
    except SignalTimedOut:
        return f"{order}: nobody"
    if answer != "yes":
        return f"{order}: {answer}"
    return await ctx.durable_execute_async(refund, order)


async def asks_twice(order: str, ctx: RunnerContext) -> list[Any]:
    return [await ctx.wait_for_signal("approval"), await ctx.wait_for_signal("approval")]


# -------------------------------------------------------------------- signals


def test_a_signal_that_was_sent_before_the_run_answers_it(durable: Durable) -> None:
    durable.signal("approval", "yes")
    run = durable.run(asks, "o-1")
    assert run.outputs == ["refunded o-1"]
    assert [call.name.rpartition(".")[2] for call in run.calls] == ["refund"]  # a wait is none
    assert run.unclaimed_signals == []
    assert (run.counters["signals"], run.counters["signalsTaken"]) == (1, 1)


def test_a_signal_during_the_run_comes_at_its_time(durable: Durable) -> None:
    with durable.start(asks, "o-1", key="ann") as run:
        durable.signal("approval", "yes", after=3_600)
        durable.advance(minutes=59)
        assert not run.done
        durable.advance(minutes=1)
        assert run.outputs == ["refunded o-1"]


def test_a_signal_to_a_run_is_taken_at_once(durable: Durable) -> None:
    with durable.start(asks_twice, "o-1") as run:
        run.signal("approval", 1)
        assert not run.done
        run.signal(Signal("approval", 2))
        assert run.outputs == [[1, 2]]


def test_a_wait_is_over_at_its_deadline_and_the_late_signal_is_unclaimed(durable: Durable) -> None:
    with durable.start(asks, "o-1", key="ann") as run:
        durable.advance(days=1)
        assert not run.done
        durable.advance(days=1)
        assert run.outputs == ["o-1: nobody"]
        run.signal("approval", "yes")
        assert run.unclaimed_signals == []
    [unclaimed] = run.unclaimed_signals
    assert (unclaimed.key, unclaimed.signal) == ("ann", Signal("approval", "yes"))


def test_signals_are_for_their_key_their_name_and_their_invocation(durable: Durable) -> None:
    for signal, key in [
        (Signal("approval", "b's"), "b"),
        (Signal("other", "another"), "a"),
        (Signal("approval", "the second's", invocation=1), "a"),
        (Signal("approval", "the first's"), "a"),
        (Signal("approval", "nobody's"), "c"),
    ]:
        durable.signal(signal, key=key)
    run = durable.run_all(asks, ["a-1", "a-2", "b-1"], key=lambda order: order[0])
    assert sorted(run.outputs) == ["a-1: the first's", "a-2: the second's", "b-1: b's"]
    told = [(one.key, one.signal.name) for one in run.unclaimed_signals]
    assert sorted(told) == [("a", "other"), ("c", "approval")]


def test_an_id_counts_once_for_as_long_as_signals_are_kept(durable: Durable) -> None:
    options = DurableOptions(signal_ttl=100)
    for after in (0, 99, 101):
        durable.signal(Signal("approval", after, id="same"), after=after)
    run = durable.run(asks_twice, "o-1", options=options)
    assert run.outputs == [[0, 101]]
    assert run.counters["signalsRepeated"] == 1


def test_a_signal_that_nobody_takes_is_unclaimed_when_its_time_is_over(durable: Durable) -> None:
    with durable.start(asks, "o-1", options=DurableOptions(signal_ttl=100)) as run:
        run.signal("other")
        durable.advance(seconds=99)
        assert run.unclaimed_signals == []
        durable.advance(seconds=1)
        assert [one.signal.name for one in run.unclaimed_signals] == ["other"]


def test_an_error_is_raised_and_pending_signals_are_seen(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> list[Any]:
        seen = [signal.value for signal in ctx.pending_signals("approval")]
        try:
            await ctx.wait_for_signal("approval")
        except PermissionError as error:
            seen.append(str(error))
        return seen

    durable.signal(Signal.error("approval", PermissionError("not you")))
    durable.signal("approval", "second")
    assert durable.run(handle, "o-1").outputs == [[None, "second", "not you"]]


def test_a_wait_that_nobody_answers_is_told(durable: Durable) -> None:
    with pytest.raises(StillWaiting):
        durable.run(asks_twice, "o-1")


def test_what_is_not_a_signal_is_refused(durable: Durable) -> None:
    with pytest.raises(TypeError, match="give a Signal or the name of one, not int"):
        durable.signal(1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'approval' has its value"):
        durable.signal(Signal("approval"), "yes")
    with pytest.raises(ValueError, match="after 0 seconds or more, not -1"):
        durable.signal("approval", after=-1)
    durable.signal("approval")
    with pytest.raises(ValueError, match="several keys: give 'approval' a key="):
        durable.run_all(asks, ["a", "b"], key=str)
    with durable.start(asks, "o-1") as run:
        run.signal("approval")
    with pytest.raises(ValueError, match="has ended"):
        run.signal("approval")


# -------------------------------------------------------------------- parking


def test_a_handler_that_waits_is_parked_and_goes_on_by_replay(durable: Durable) -> None:
    starts: list[str] = []

    async def handle(order: str, ctx: RunnerContext) -> str:
        starts.append("start")
        try:
            told = await ctx.durable_execute_async(refund, order)
            return f"{told}: {await ctx.wait_for_signal('approval')}"
        finally:
            starts.append("finally")

    with durable.start(handle, "o-1") as run:
        durable.advance(seconds=9)
        assert starts == ["start"]
        durable.advance(seconds=2)
        assert starts == ["start", "finally"]
        run.signal(
            "other"
        )  # wakes whoever waits for one: its name is in the journal's digest alone
        run.signal("approval", "yes")
        assert run.outputs == ["refunded o-1: yes"]
    assert run.calls["refund"].attempts == 1
    assert run.counters["parkedTotal"] == run.counters["woken"] >= 1


def test_a_handler_that_says_so_stays_awake(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> None:
        async with ctx.stay_awake():
            await ctx.sleep(DAY)

    run = durable.run(handle, "o-1")
    assert run.counters["parkedTotal"] == 0


def test_a_clean_up_that_makes_a_call_finds_out(durable: Durable) -> None:
    refused: list[BaseException] = []

    async def handle(order: str, ctx: RunnerContext) -> None:
        try:
            await ctx.sleep(DAY)
        finally:
            try:
                await ctx.durable_execute_async(refund, order)
            except NotInInvocation as error:
                refused.append(error)

    run = durable.run(handle, "o-1")
    assert len(refused) == 1
    assert run.calls["refund"].attempts == 1


@pytest.mark.parametrize("options", [DurableOptions(park_after=None), DurableOptions()])
def test_what_comes_of_it_is_the_same(durable: Durable, options: DurableOptions) -> None:
    async def handle(order: str, ctx: RunnerContext) -> list[Any]:
        before = ctx.now()
        await ctx.sleep(DAY)
        return [(ctx.now() - before).total_seconds(), await ctx.wait_for_signal("approval")]

    durable.signal("approval", "yes", after=2 * DAY)
    run = durable.run(handle, "o-1", options=options)
    assert run.outputs == [[DAY, "yes"]]
    assert bool(run.counters["parkedTotal"]) == (options.park_after is not None)


# -------------------------------------------------------------------- crashes


@pytest.mark.parametrize(
    "where",
    [
        crash("approval", when="waiting"),
        crash("approval", when="waiting", checkpoint="oldest"),
        crash("approval", when="signal-arrived"),
        crash("approval", when="signal-arrived", checkpoint="oldest"),
        crash("approval", when="after-outcome"),
        crash("approval", when="after-outcome", checkpoint="oldest"),
        crash(when="parked"),
        crash(when="parked", checkpoint="oldest"),
    ],
    ids=str,
)
def test_a_crash_while_a_handler_waits(durable: Durable, where: Any) -> None:
    durable.signal("approval", "yes", after=60)
    run = durable.run(asks, "o-1", crash_at=where)
    assert (run.crashes, run.outputs) == (1, ["refunded o-1"])
    assert run.unclaimed_signals == []


def test_a_crash_that_is_not_reached_tells_those_that_were(durable: Durable) -> None:
    durable.signal("approval", "yes")
    with pytest.raises(CrashNotReached, match="signal-arrived approval, waiting approval"):
        durable.run(asks, "o-1", crash_at=crash(when="parked"))
    with pytest.raises(ValueError, match="name the call"):
        crash(when="waiting")


_refunded: list[str] = []


def refund_once(order: str) -> None:
    _refunded.append(order)


def _was_refunded() -> Any:
    from pyflink_durable import NOT_EXECUTED

    return None if _refunded else NOT_EXECUTED


async def refunds(order: str, ctx: RunnerContext) -> str:
    first = await ctx.wait_for_signal("approval", timeout=DAY)
    await ctx.durable_execute_async(refund_once, order, reconciler=_was_refunded)
    try:
        second = await ctx.wait_for_signal("approval", timeout=DAY)
    except SignalTimedOut:
        second = "nobody"
    return f"{first} {second}"


@crash_points(refunds, ["o-1"], levels=["gated", "write-ahead"], crashes=2)
def test_every_crash_of_a_handler_that_waits(case: Case) -> None:
    _refunded.clear()
    case.signal("approval", "yes", after=30)
    case.signal("approval", "late", after=2 * DAY)
    run = case.run()
    assert _refunded == ["o-1"], case
    unclaimed = [one.signal.value for one in run.unclaimed_signals]
    if case.level == "gated" and run.outputs == ["yes late"]:
        # the last checkpoint was a day old, and did not know the deadline
        assert case.cuts
        assert unclaimed == []
    else:
        assert (run.outputs, unclaimed) == (["yes nobody"], ["late"]), case


_cases: list[str] = []


@crash_points(asks, ["o-1"])
def test_crashes_strike_in_waits(case: Case) -> None:
    case.signal("approval", "no", after=30)
    assert case.run().outputs == ["o-1: no"], case
    _cases.append(repr(case))
    assert len(_cases) < 20


def test_they_did() -> None:
    told = " ".join(_cases)
    for when in ("waiting", "signal-arrived", "after-outcome"):
        assert f"{when} of approval" in told


def test_a_plan_has_signals(durable: Durable) -> None:
    plan = Plan(level="gated", crashes=((1, 1), (0, 0)))
    run = plan.run(asks, ["o-1"], signals=[SentSignal(Signal("approval", "no"), after=5)])
    assert (run.crashes, run.outputs) == (2, ["o-1: no"])


def test_a_run_with_signals_is_replayed(durable: Durable) -> None:
    durable.signal("approval", "yes", after=60)
    durable.run(asks, "o-1", always_replay=True)
