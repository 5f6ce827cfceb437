"""Timers of the handlers' loop under a clock of the test's own, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from bridges import SixMethods
from loops import Clock, Operator

from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.loop import loop as loop_module
from pyflink_durable.runtime.loop import wake_ups
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loop_module, "time", clock)
    monkeypatch.setattr(wake_ups, "time", clock)
    return clock


@pytest.fixture
def operator(clock: Clock) -> Operator:
    return Operator()


def due(operator: Operator) -> list[float]:
    """The times asked for, on the monotonic clock; up to two milliseconds late."""
    return [at - 1_700_000_000.0 for at in operator.wakes_at]


async def sleeps(seconds: float, seen: list[float]) -> None:
    await asyncio.sleep(seconds)
    seen.append(seconds)


def test_exactly_one_wake_at_the_earliest(operator: Operator, clock: Clock) -> None:
    seen: list[float] = []

    async def handler() -> None:
        await asyncio.gather(*(sleeps(seconds, seen) for seconds in (5, 7, 6, 7, 9)))

    task = operator.start(handler())
    assert due(operator) == [pytest.approx(1_005, abs=0.003)]
    assert due(operator)[0] >= 1_005
    operator.loop.drain()
    assert (seen, len(operator.wakes_at)) == ([], 1)
    clock.now = 1_005.5
    operator.loop.drain()
    assert seen == [5]
    assert due(operator)[1:] == [pytest.approx(1_006, abs=0.003)]
    clock.now = 1_020
    operator.loop.drain()
    assert seen == [5, 6, 7, 7, 9]
    assert len(operator.wakes_at) == 2
    assert task.done()
    assert operator.wakes == 0


def test_an_earlier_timer_asks_again(operator: Operator, clock: Clock) -> None:
    async def handler() -> None:
        await asyncio.gather(sleeps(50, []), sleeps(5, []))

    operator.start(handler())
    assert due(operator) == [
        pytest.approx(1_050, abs=0.003),
        pytest.approx(1_005, abs=0.003),
    ]


def test_a_cancelled_timer_asks_for_nothing(operator: Operator, clock: Clock) -> None:
    async def handler() -> None:
        await asyncio.wait_for(asyncio.sleep(0), 5)

    assert operator.start(handler()).done()
    asked = len(operator.wakes_at)
    clock.now = 1_010
    operator.loop.drain()
    assert len(operator.wakes_at) == asked


def test_a_sleep_of_zero_asks_for_nothing(operator: Operator) -> None:
    assert operator.start(sleeps(0, [])).done()
    assert operator.wakes_at == []


def test_an_exception_that_nobody_sees_is_reported(operator: Operator) -> None:
    async def fails() -> None:
        raise ValueError("lost")

    async def handler() -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])

    operator.run(handler())
    gc.collect()
    [problem] = operator.problems
    assert "never retrieved" in problem
    assert "ValueError: lost" in problem


class TestRunner:
    @pytest.fixture
    def telemetry(self) -> LocalTelemetry:
        return LocalTelemetry()

    def run(
        self, operator: Operator, telemetry: LocalTelemetry, handler: Callable[..., Any]
    ) -> tuple[AsyncHandlerRunner, list[FunctionOutcome | None]]:
        outcomes: list[FunctionOutcome | None] = []
        runner = AsyncHandlerRunner(
            handler, operator.loop, telemetry, lambda ended: outcomes.append(ended.outcome)
        )
        runner.start(
            Invocation(
                1, "value", FlinkRunnerContext(SixMethods(), subtask=Subtask(telemetry=telemetry))
            )
        )
        operator.loop.run_until_idle()
        return runner, outcomes

    def test_abandoned_tasks_are_cancelled_counted_and_warned_of(
        self,
        operator: Operator,
        telemetry: LocalTelemetry,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        cleaned: list[int] = []

        async def background(number: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                cleaned.append(number)

        async def handler(value: str, ctx: FlinkRunnerContext) -> str:
            tasks.extend(asyncio.create_task(background(n)) for n in range(3))
            await asyncio.create_task(asyncio.sleep(0))
            return value

        tasks: list[asyncio.Task[None]] = []
        _, outcomes = self.run(operator, telemetry, handler)
        assert outcomes == [FunctionOutcome("value", None)]
        assert cleaned == [0, 1, 2]
        assert all(task.cancelled() for task in tasks)
        assert telemetry.counters == {"abandoned": 3}
        assert "tasks=3" in caplog.text
        assert "asyncio.TaskGroup" in caplog.text

    def test_tasks_that_were_awaited_are_not_abandoned(
        self, operator: Operator, telemetry: LocalTelemetry
    ) -> None:
        async def handler(value: str, ctx: FlinkRunnerContext) -> None:
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))

        assert self.run(operator, telemetry, handler)[1] == [FunctionOutcome(None, None)]
        assert telemetry.counters == {}

    def test_tasks_that_have_just_ended_are_not_abandoned(
        self, operator: Operator, telemetry: LocalTelemetry
    ) -> None:
        async def handler(value: str, ctx: FlinkRunnerContext) -> None:
            task = asyncio.create_task(asyncio.sleep(0))
            while not task.done():
                await asyncio.sleep(0)

        assert self.run(operator, telemetry, handler)[1] == [FunctionOutcome(None, None)]
        assert telemetry.counters == {}

    def test_what_a_handler_raises_is_its_outcome(
        self, operator: Operator, telemetry: LocalTelemetry
    ) -> None:
        async def handler(value: str, ctx: FlinkRunnerContext) -> None:
            raise ValueError(value)

        [outcome] = self.run(operator, telemetry, handler)[1]
        assert outcome is not None
        assert isinstance(outcome.error, ValueError)

    def test_close_cancels_what_runs(self, operator: Operator, telemetry: LocalTelemetry) -> None:
        seen: list[str] = []

        async def handler(value: str, ctx: FlinkRunnerContext) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                await asyncio.sleep(0)
                seen.append("closed")

        runner, outcomes = self.run(operator, telemetry, handler)
        assert outcomes == []
        assert runner.close(float("inf")) == []
        assert seen == ["cancelled", "closed"]
