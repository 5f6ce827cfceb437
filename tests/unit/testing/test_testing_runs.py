"""The testing kit: one run of a handler, its outputs, its calls, its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Any, cast

import pytest
from pyflink.common import Types
from pyflink.datastream import OutputTag

from pyflink_durable import (
    DurableCall,
    DurableOptions,
    DurableProcessFunction,
    RetryPolicy,
    RunnerContext,
    current_call,
)
from pyflink_durable.testing import CallNotAllowed, Durable, StillWaiting, crash_points

AUDIT = OutputTag("audit", Types.STRING())
OWN_TIME = 20.0
"""Seconds within which what takes days has to be over."""


def double(number: int) -> int:
    return 2 * number


async def double_slowly(number: int) -> int:
    await asyncio.sleep(3_600)
    return 2 * number


def fails(*_: Any) -> None:
    raise ValueError("no")


def test_a_run_has_outputs_state_and_calls(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> int:
        doubled = await ctx.durable_execute_async(double, value)
        ctx.collect("first")
        ctx.output(AUDIT, f"{ctx.key} {ctx.timestamp}")
        ctx.state["seen"] = ctx.state["seen"] + 1
        return doubled

    run = durable.run(handle, 4, key="ann", timestamp=7, state={"seen": 1})
    assert run.done
    assert run.outputs == ["first", 8]
    assert run.side_output(AUDIT) == run.side_output("audit") == ["ann 7"]
    assert run.state == {"seen": 2}
    call = run.calls["double"]
    assert (call.attempts, call.status, call.result, call.reconciled) == (1, "SUCCEEDED", 8, False)
    assert call.replayed == call.asked == 0
    assert run.calls[double] is call
    assert run.counters["executed"] == 1


def test_a_call_that_was_not_made_is_told_with_those_that_were(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(double, value)
        await ctx.durable_execute_async(double, value + 1)
        await ctx.durable_execute_async(double, value, durable_id="the last one")

    run = durable.run(handle, 4)
    with pytest.raises(KeyError, match=r"no call 'charge' was made; there are .*double"):
        run.calls["charge"]
    with pytest.raises(KeyError, match="2 calls"):
        run.calls[double]
    assert [call.slot for call in run.calls.all(double)] == [0, 1]
    assert run.calls["the last one"].slot == 2
    assert "charge" not in run.calls


def test_inputs_of_a_key_come_one_after_another_and_keys_side_by_side(durable: Durable) -> None:
    async def handle(value: str, ctx: RunnerContext) -> str:
        ctx.state["all"] = ctx.state.get("all", "") + value
        if value == "a1":
            await ctx.sleep(1.0)
        return f"{ctx.key}: {ctx.state['all']}"

    run = durable.run_all(handle, ["a1", "a2", "b1"], key=lambda value: value[0])
    assert run.outputs == ["b: b1", "a: a1", "a: a1a2"]
    assert run.state_of("a") == {"all": "a1a2"}
    with pytest.raises(ValueError, match="2 keys"):
        run.state  # noqa: B018


def test_a_run_has_the_options_of_the_job(durable: Durable) -> None:
    async def handle(value: str, ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(fails)

    options = DurableOptions(retry=RetryPolicy(max_attempts=3), on_error="dead-letter")
    run = durable.run(handle, "x", key="k", options=options)
    [letter] = run.dead_letters
    assert (letter.key, letter.value, letter.error_type) == ("k", "x", "ValueError")
    assert run.calls[fails].attempts == 3
    assert str(run.calls[fails].error) == "no"
    with pytest.raises(ValueError, match="no"):
        durable.run(handle, "x")


@pytest.mark.parametrize("seconds", [1.0, 86_400.0, 3e7])
def test_time_goes_on_when_everything_waits(durable: Durable, seconds: float) -> None:
    async def handle(value: int, ctx: RunnerContext) -> float:
        before = ctx.now()
        await ctx.sleep(seconds)
        async with asyncio.timeout(7_200) if hasattr(asyncio, "timeout") else ctx_of_nothing():
            await ctx.durable_execute_async(double_slowly, value)
        return (ctx.now() - before).total_seconds()

    [passed] = durable.run(handle, 4).outputs
    assert passed == pytest.approx(seconds + 3_600, abs=0.01)


class ctx_of_nothing:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


def test_time_that_a_test_lets_pass(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> int:
        await ctx.sleep(86_400)
        return await ctx.durable_execute_async(double_slowly, value)

    with durable.start(handle, 4) as run:
        durable.advance(hours=23)
        assert not run.done
        assert len(run.calls) == 0
        durable.advance(hours=1)
        assert run.calls[double_slowly].attempts == 1
        assert run.calls[double_slowly].status == "PENDING"
        durable.advance(minutes=59)
        assert not run.done
        durable.advance(minutes=1)
        assert run.done
        assert run.outputs == [8]
    with pytest.raises(ValueError, match="forward"):
        durable.advance(hours=-1)


def test_stubs_stand_in_for_functions(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> list[Any]:
        first = await ctx.durable_execute_async(double, value)
        second = await ctx.durable_execute_async(double_slowly, value)
        third = ctx.durable_execute(double, value, durable_id="third")
        return [first, second, third]

    stub = durable.stub(double, returns="two")
    durable.stub("double_slowly", side_effect=lambda number: f"slow {number}", latency=60.0)
    durable.stub("third", side_effect=[3])
    before = durable.now
    assert durable.run(handle, 4).outputs == [["two", "slow 4", 3]]
    assert stub.calls == [((4,), {})]
    assert (durable.now - before).total_seconds() == pytest.approx(60.0)
    with pytest.raises(AssertionError, match="no answer left"):
        durable.run(handle, 4)


class Service:
    def ask(self) -> str:
        raise AssertionError("the real one was called")


class OtherService(Service):
    """Inherits what it asks."""


def test_a_stub_of_a_method_stands_in_for_it_in_subclasses(durable: Durable) -> None:
    stub = durable.stub(Service.ask, returns="stub")

    async def handle(value: Any, ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(OtherService().ask)

    assert durable.run(handle, 1).outputs == ["stub"]
    assert len(stub.calls) == 1


def test_a_stub_that_takes_too_long_times_out_and_its_thread_goes_on(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> str:
        try:
            await ctx.durable_execute_async(
                double, value, timeout=5.0, reconciler=lambda: "asked", in_doubt="raise"
            )
        finally:
            await ctx.sleep(60)
        return await ctx.durable_execute_async(double, value, durable_id="again")

    hangs = durable.stub(double, returns=1, latency=10.0)
    durable.stub("again", returns="done")
    run = durable.run(handle, 4)
    assert run.calls.all("double")[0].reconciled
    assert run.outputs == ["done"]
    assert len(hangs.calls) == 1


def test_unknown_calls_are_refused(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(double, value)

    durable.allow_only("charge")
    with pytest.raises(CallNotAllowed, match=r"double, and only \['charge'\] are allowed"):
        durable.run(handle, 4)
    durable.allow_only(double)
    assert durable.run(handle, 4).outputs == [8]


def test_a_def_handler_runs_on_a_thread_in_the_same_time(durable: Durable) -> None:
    def handle(value: int, ctx: RunnerContext) -> list[Any]:
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        retried = ctx.durable_execute(double, value, retry=RetryPolicy(initial_interval=3_600.0))
        batch = ctx.durable_execute_all([DurableCall(double, (n,)) for n in range(3)])
        return [retried, *(outcome.value for outcome in batch)]

    durable.stub("double", side_effect=[ValueError("busy"), *range(20)])
    before = durable.now
    run = durable.run_all(handle, [4, 5], key=lambda value: value)
    assert (durable.now - before).total_seconds() == pytest.approx(3_600.0, rel=0.2)
    assert run.done
    assert run.state_of(4) == run.state_of(5) == {"n": 1}
    assert len(run.outputs) == 2


class Counting(DurableProcessFunction):
    def __init__(self) -> None:
        self.life: list[str] = []

    def open(self, runtime_context: Any) -> None:
        self.life.append(f"open {runtime_context.get_attempt_number()}")
        self._counter = runtime_context.get_metrics_group().counter("handled")

    async def process(self, value: int, ctx: RunnerContext) -> int:
        self._counter.inc()
        return await ctx.durable_execute_async(double, value)

    def close(self) -> None:
        self.life.append("close")


def test_a_process_function_is_opened_and_closed(durable: Durable) -> None:
    function = Counting()
    assert durable.run(function, 4).outputs == [8]
    assert function.life == ["open 0", "close"]


def test_calls_that_end_together_end_in_their_order(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> list[int]:
        calls = [ctx.durable_execute_async(double, n) for n in range(5)]
        return [await next_one for next_one in asyncio.as_completed(calls)]

    assert durable.run(handle, 0).outputs == [[0, 2, 4, 6, 8]]


def test_a_handler_that_waits_for_nothing_that_comes_is_told(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StillWaiting, match="will not come"):
        durable.run(handle, 4)


def test_inputs_and_keys_make_the_idempotency_keys_of_a_job(durable: Durable) -> None:
    async def handle(value: int, ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(lambda: current_call().idempotency_key)

    run = durable.run_all(handle, [1, 2, 1], key=lambda value: value)
    assert len(set(run.outputs)) == 3
    assert durable.run(handle, 1, key=1).outputs == run.outputs[:1]


def test_an_invocation_id_is_the_job_s(durable: Durable) -> None:
    async def handle(value: dict[str, Any], ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(lambda: current_call().idempotency_key)

    options = DurableOptions(invocation_id=lambda value: value["id"])
    run = durable.run_all(handle, [{"id": "a"}, {"id": "a"}], options=options)
    assert len(set(run.outputs)) == 1


def test_mistakes_are_told(durable: Durable) -> None:
    order: Any = {"id": "o-1"}
    runs: list[tuple[str, Callable[[], Any]]] = [
        (r"a list, \[\{'id': 'o-1'\}\], not one", lambda: durable.run_all(echo, order)),
        (r"a list, \['o-1'\], not one alone", lambda: crash_points(echo, "o-1")),
        ("one input at least", lambda: durable.run_all(echo, [])),
        ("the input <unlocked .* cannot be pickled", lambda: durable.run(echo, Lock())),
        (
            r"takes what crash\(\.\.\.\) gives.* not 'charge'",
            lambda: durable.run(echo, order, crash_at=cast(Any, "charge")),
        ),
        ("levels is a list of", lambda: crash_points(echo, [1], levels=cast(Any, "gated"))),
        (
            r"levels is a list of .* not \['gate'\]",
            lambda: crash_points(echo, [1], levels=cast(Any, ["gate"])),
        ),
    ]
    for told, run in runs:
        with pytest.raises((TypeError, ValueError), match=told):
            run()


async def echo(value: Any, ctx: RunnerContext) -> Any:
    return value
