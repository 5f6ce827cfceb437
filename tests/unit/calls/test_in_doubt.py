"""Calls that a failure left in doubt, and that must not simply run again."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bridges import Slot
from handler_bench import ByHand, HandlerBench

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    FileCallLog,
    OutcomeUnknown,
    RetryPolicy,
)
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome

RAISE = DurableOptions(in_doubt="raise")
DIGEST = compute_args_digest((7,), {})
IN_DOUBT = Slot("charge", DIGEST, attempt=2)


class Charges:
    """A handler that makes one call, and how often it was made."""

    def __init__(self, form: str, **options: Any) -> None:
        self.made = 0
        self._form = form
        self._options = {"durable_id": "charge", **options}

    def charge(self, amount: int) -> str:
        self.made += 1
        return "charged"

    @property
    def handler(self) -> Callable[..., Any]:
        if self._form == "def":
            return lambda value, ctx: ctx.durable_execute(self.charge, 7, **self._options)

        async def handle(value: Any, ctx: Any) -> Any:
            if self._form == "sync":
                return ctx.durable_execute(self.charge, 7, **self._options)
            return await ctx.durable_execute_async(self.charge, 7, **self._options)

        return handle


@pytest.fixture(params=["sync", "pool", "def"])
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


@pytest.mark.parametrize("where", ["call", "operator"])
def test_raise_tells_what_to_look_up(form: str, where: str, executor: CallExecutor) -> None:
    charges = Charges(form, **({"in_doubt": "raise"} if where == "call" else {}))
    options = RAISE if where == "operator" else None
    bench = HandlerBench(charges.handler, executor, options, [IN_DOUBT])
    with pytest.raises(OutcomeUnknown) as caught:
        bench.run()
    unknown = caught.value
    assert (unknown.function_id, unknown.args_digest) == ("charge", DIGEST)
    assert (unknown.attempt, unknown.reason) == (2, "failure")
    assert unknown.idempotency_key == bench.ctx._identity.idempotency_key(0, "charge")
    assert unknown.idempotency_key in str(unknown)
    assert vars(pickle.loads(pickle.dumps(unknown))) == vars(unknown)
    assert charges.made == 0
    assert bench.telemetry.counters["unknown"] == 1


def test_execute_on_the_call_goes_before_raise_on_the_operator(
    form: str, executor: CallExecutor
) -> None:
    charges = Charges(form, in_doubt="execute")
    bench = HandlerBench(charges.handler, executor, RAISE, [IN_DOUBT])
    assert bench.run() == "charged"
    assert bench.telemetry.counters["reexecuted"] == 1


def test_a_call_that_is_not_in_doubt_is_made(form: str, executor: CallExecutor) -> None:
    charges = Charges(form)
    assert HandlerBench(charges.handler, executor, RAISE).run() == "charged"


def test_a_reconciler_is_asked_instead(form: str, executor: CallExecutor) -> None:
    charges = Charges(form, reconciler=lambda: "looked up")
    assert HandlerBench(charges.handler, executor, RAISE, [IN_DOUBT]).run() == "looked up"
    assert charges.made == 0


def test_a_reconciler_may_have_it_run(form: str, executor: CallExecutor) -> None:
    charges = Charges(form, reconciler=lambda: NOT_EXECUTED)
    bench = HandlerBench(charges.handler, executor, RAISE, [IN_DOUBT])
    assert bench.run() == "charged"
    assert bench.slots[0].attempt == 3


def test_it_is_not_tried_again_whatever_the_retry_policy(form: str, executor: CallExecutor) -> None:
    charges = Charges(form)
    options = DurableOptions(in_doubt="raise", retry=RetryPolicy(initial_interval=0))
    with pytest.raises(OutcomeUnknown):
        HandlerBench(charges.handler, executor, options, [IN_DOUBT]).run()
    assert charges.made == 0


def test_a_handler_that_decides_has_it_journaled_and_decides_again(
    executor: CallExecutor,
) -> None:
    charges = Charges("pool")

    async def handler(value: Any, ctx: Any) -> Any:
        try:
            return await charges.handler(value, ctx)
        except OutcomeUnknown as unknown:
            return await ctx.durable_execute_async(str, unknown.attempt)

    bench = HandlerBench(handler, executor, RAISE, [IN_DOUBT])
    assert bench.run() == "2"
    assert bench.statuses == ["FAILED", "SUCCEEDED"]
    assert bench.again().run() == "2"
    assert charges.made == 0


def test_at_the_write_ahead_level_it_waits_for_the_log_as_every_outcome() -> None:
    # else the handler would see it before outcomes that stand before it in the journal
    log = FileCallLog(directory=Path("/log"))
    options = DurableOptions(durability="write-ahead", in_doubt="raise", call_log=log)
    bench = HandlerBench(Charges("pool").handler, ByHand(), options, [IN_DOUBT]).start()
    assert bench.journal.held == [(0, "LOG")]
    assert bench.statuses == ["FAILED"]
    assert bench.ended == []


def test_it_does_not_overtake_what_ended_before_the_failure() -> None:
    seen: list[str] = []
    names = "abc"

    async def handler(value: Any, ctx: Any) -> None:
        async def one(name: str) -> None:
            try:
                seen.append(await ctx.durable_execute_async(str, 7, durable_id=name))
                await asyncio.sleep(0)
            except OutcomeUnknown:
                seen.append(f"{name} unknown")

        await asyncio.gather(*(one(name) for name in names))

    def ended(name: str, completion: int) -> Slot:
        return Slot(name, DIGEST, "SUCCEEDED", dump_result(name), None, completion)

    slots = [Slot("a", DIGEST), ended("b", 1), ended("c", 0)]
    HandlerBench(handler, ByHand(), RAISE, slots).start()
    assert seen == ["c", "b", "a unknown"]


@pytest.mark.parametrize("reconciler", [None, lambda: "looked up"], ids=["none", "reconciler"])
def test_a_call_that_another_one_beat_is_neither_made_nor_asked_about_again(
    reconciler: Any,
) -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        calls = [
            asyncio.create_task(
                ctx.durable_execute_async(str, 7, durable_id=name, reconciler=reconciler)
            )
            for name in "ab"
        ]
        done, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        for call in pending:
            call.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return [call.result() for call in done]

    hands = ByHand()
    slots = [Slot("a", DIGEST), Slot("b", DIGEST, "SUCCEEDED", dump_result("b"), None, 0)]
    bench = HandlerBench(handler, hands, slots=slots).start()
    assert bench.ended == [FunctionOutcome(["b"], None)]
    assert hands.started == {}
    assert bench.slots == slots
