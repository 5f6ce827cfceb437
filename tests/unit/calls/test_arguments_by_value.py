"""A call takes its arguments as they are when it is made; its function gets values of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from loops import Operator
from outside import FORMS

from pyflink_durable import DurableCall, RetryPolicy
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

Handler = Callable[[FlinkRunnerContext, "Bank"], Awaitable[Any]]


class Bank:
    """Its functions change what they are given.

    Attributes:
        charged: The orders as they came.
        open: Whether a function may go on.
    """

    def __init__(self, form: str) -> None:
        self.charged: list[dict[str, Any]] = []
        self.form = form

    def charge(self, order: dict[str, Any], *more: Any, fails: int = 0) -> str:
        self.charged.append({**order, "lines": list(order["lines"])})
        order["charged"] = True
        order["lines"].append("fee")
        if len(self.charged) <= fails:
            raise ConnectionError("reset")
        return f"charged {len(order['lines'])}"

    async def charge_remotely(self, *args: Any, **kwargs: Any) -> str:
        await asyncio.sleep(0)
        return self.charge(*args, **kwargs)

    def call(self, ctx: FlinkRunnerContext, *args: Any, **options: Any) -> Awaitable[Any]:
        if self.form != "sync":
            func = self.charge_remotely if self.form == "coroutine" else self.charge
            return ctx.durable_execute_async(func, *args, **options)

        async def on_the_loop() -> Any:
            return ctx.durable_execute(self.charge, *args, **options)

        return on_the_loop()


class Runs:
    """Runs a handler on the handlers' loop, again and again over one journal."""

    def __init__(self, form: str, executor: CallExecutor) -> None:
        self.bank = Bank(form)
        self.telemetry = LocalTelemetry()
        self._journal = SlotsInMemory()
        self._executor = executor

    def __call__(self, handler: Handler) -> Any:
        subtask = Subtask(self._executor, telemetry=self.telemetry)
        access = slot_journal(self._journal, size=len(self._journal.slots))
        ctx = FlinkRunnerContext(access, subtask=subtask)
        return Operator().run(handler(ctx, self.bank))


@pytest.fixture(params=FORMS)
def runs(request: pytest.FixtureRequest, executor: CallExecutor) -> Runs:
    return Runs(request.param, executor)


def order() -> dict[str, Any]:
    return {"id": "o-1", "lines": ["tea"]}


def test_what_a_function_does_to_its_argument_is_not_seen(runs: Runs) -> None:
    async def handle(ctx: FlinkRunnerContext, bank: Bank) -> Any:
        mine = order()
        first = await bank.call(ctx, mine)
        second = await bank.call(ctx, mine, mine)
        return first, second, mine

    assert runs(handle) == runs(handle) == ("charged 2", "charged 2", order())
    assert runs.bank.charged == [order(), order()]
    assert runs.telemetry.counters["mismatched"] == 0


def test_what_the_handler_does_to_an_argument_comes_too_late(executor: CallExecutor) -> None:
    for form in ("pool", "coroutine"):
        runs = Runs(form, executor)

        async def handle(ctx: FlinkRunnerContext, bank: Bank) -> Any:
            mine = order()
            call = asyncio.ensure_future(bank.call(ctx, mine))
            mine["id"] = "o-2"
            mine["lines"].clear()
            return await call

        assert runs(handle) == runs(handle) == "charged 2"
        assert runs.bank.charged == [order()]


def test_each_attempt_gets_the_same(executor: CallExecutor) -> None:
    for form in ("pool", "coroutine"):
        runs = Runs(form, executor)

        async def handle(ctx: FlinkRunnerContext, bank: Bank) -> Any:
            retry = RetryPolicy(max_attempts=3, initial_interval=0.001)
            return await bank.call(ctx, order(), retry=retry, fails=2)

        assert runs(handle) == runs(handle) == "charged 2"
        assert runs.bank.charged == [order()] * 3


def test_the_arguments_of_a_partial(runs: Runs) -> None:
    async def handle(ctx: FlinkRunnerContext, bank: Bank) -> Any:
        mine = order()
        charge = partial(bank.charge, mine)
        if bank.form == "sync":
            return [ctx.durable_execute(charge), ctx.durable_execute(charge)], mine
        calls = [ctx.durable_execute_async(charge), ctx.durable_execute_async(charge)]
        return [await call for call in calls], mine

    assert runs(handle) == runs(handle) == (["charged 2"] * 2, order())
    assert runs.bank.charged == [order(), order()]
    assert runs.telemetry.counters["mismatched"] == 0


@pytest.mark.parametrize("limit", [None, 1])
def test_the_calls_of_a_batch(runs: Runs, limit: int | None) -> None:
    async def handle(ctx: FlinkRunnerContext, bank: Bank) -> Any:
        mine = order()
        calls = [DurableCall(bank.charge, (mine,)), DurableCall(bank.charge, (mine, mine))]
        if bank.form == "sync":
            outcomes = ctx.durable_execute_all(calls)
        else:
            batch = asyncio.ensure_future(ctx.durable_execute_all_async(calls, limit))
            mine["id"] = "o-2"
            outcomes = await batch
            mine["id"] = "o-1"
        again = await bank.call(ctx, mine)
        return outcomes.values(), again, mine

    assert runs(handle) == runs(handle) == (["charged 2"] * 2, "charged 2", order())
    assert runs.bank.charged == [order()] * 3


def test_outputs_are_taken_as_they_are(executor: CallExecutor) -> None:
    ctx = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
    reused: dict[str, int] = {}
    for number in range(3):
        reused["number"] = number
        ctx.collect(reused)
    assert [value for _, value in ctx.outputs] == [{"number": 0}, {"number": 1}, {"number": 2}]
