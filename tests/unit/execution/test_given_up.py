"""A call that has not started when the handler gives it up never starts, and its slot says so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from handler_bench import ByHand, HandlerBench
from loops import PATIENCE, wait_until

from pyflink_durable import CallStatus, DurableCall, RetryPolicy
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.executors import CallExecutor

SOON = 0.05


class Shop:
    """A thread that is taken until the test says so, and calls that wait behind it."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.holding = False
        self.charged: list[str] = []
        self.looked_up: list[str] = []

    def hold(self) -> str:
        self.holding = True
        assert self.go.wait(PATIENCE)
        return "held"

    async def hold_remotely(self) -> str:
        while not self.go.is_set():
            await asyncio.sleep(0.001)
        return "held"

    def charge(self, name: str) -> str:
        self.charged.append(name)
        return name

    def charge_it(self) -> str:
        return self.charge("it")

    async def charge_remotely(self, name: str) -> str:
        return self.charge(name)

    def look_up(self) -> str:
        self.looked_up.append("charge")
        return "found"


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.go.set()


@pytest.fixture(params=["pool", "line"])
def executor(request: pytest.FixtureRequest) -> Iterator[CallExecutor]:
    """One call runs at a time: there is one thread, or room for one."""
    line = 1 if request.param == "line" else None
    executor = CallExecutor("one", 1, line)
    yield executor
    assert executor.close(time.monotonic() + PATIENCE) == []


async def give_up_by_wait_for(shop: Shop, call: Any) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(call, SOON)


async def give_up_at_once(shop: Shop, call: Any) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(call, 0)


async def give_up_a_task(shop: Shop, call: Any) -> None:
    task = asyncio.create_task(call)
    await asyncio.sleep(SOON)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def give_up_a_gather(shop: Shop, call: Any) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.gather(call, asyncio.sleep(PATIENCE)), SOON)


WAYS = [give_up_by_wait_for, give_up_at_once, give_up_a_task, give_up_a_gather]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "options", [{}, {"timeout": PATIENCE}, {"retry": RetryPolicy()}, {"reconciler": True}], ids=str
)
def test_a_call_that_waits_for_its_turn(
    way: Any, options: dict[str, Any], shop: Shop, executor: CallExecutor
) -> None:
    if "reconciler" in options:
        options = {"reconciler": shop.look_up}

    async def handler(value: Any, ctx: Any) -> Any:
        holding = asyncio.create_task(ctx.durable_execute_async(shop.hold))
        await asyncio.sleep(0)
        await way(shop, ctx.durable_execute_async(shop.charge, "given up", **options))
        shop.go.set()
        return await holding, await ctx.durable_execute_async(shop.charge, "wanted")

    bench = HandlerBench(handler, executor)
    assert bench.run() == ("held", "wanted")
    assert shop.charged == ["wanted"]
    [slot] = [slot for slot in bench.slots if slot.due == 0]
    assert (slot.status, slot.attempt) == ("PENDING", 1)
    again = bench.again()
    assert again.run() == ("held", "wanted")
    assert (shop.charged, shop.looked_up) == (["wanted"], [])
    assert again.slots == bench.slots


def test_a_coroutine_in_line(shop: Shop) -> None:
    executor = CallExecutor("line", 1, 1)

    async def handler(value: Any, ctx: Any) -> Any:
        holding = asyncio.create_task(ctx.durable_execute_async(shop.hold_remotely))
        await asyncio.sleep(0)
        await give_up_by_wait_for(shop, ctx.durable_execute_async(shop.charge_remotely, "given up"))
        shop.go.set()
        return await holding, await ctx.durable_execute_async(shop.charge_remotely, "wanted")

    assert HandlerBench(handler, executor).run() == ("held", "wanted")
    assert shop.charged == ["wanted"]
    assert executor.close(time.monotonic() + PATIENCE) == []


@pytest.mark.one_run("a call that a crash finds announced may have started")
@pytest.mark.parametrize("remote", [True, False])
def test_a_batch_whose_time_is_over(remote: bool, shop: Shop, executor: CallExecutor) -> None:
    executor.submit(Execution(shop.hold), lambda outcome: None)
    wait_until(lambda: shop.holding)
    calls = [DurableCall(shop.charge, (name,)) for name in "abc"]

    async def handle_on_the_loop(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_all_async(calls, timeout=SOON)

    def handle_on_a_thread(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute_all(calls, timeout=SOON)

    handler: Callable[..., Any] = handle_on_the_loop if remote else handle_on_a_thread
    bench = HandlerBench(handler, executor)
    for run in (bench, bench.again()):
        outcomes = run.run()
        assert [outcome.status for outcome in outcomes] == [CallStatus.NOT_STARTED] * 3
        assert [outcome.attempt for outcome in outcomes] == [0] * 3
        assert run.statuses == [*["SCHEDULED"] * 3, "SUCCEEDED"]
    shop.go.set()
    assert executor.close(time.monotonic() + PATIENCE) == []
    assert shop.charged == []


def test_a_later_attempt_that_waits_for_its_turn() -> None:
    hands = ByHand(begins=False)

    async def handler(value: Any, ctx: Any) -> None:
        call = asyncio.create_task(
            ctx.durable_execute_async(
                str, "charge", retry=RetryPolicy(max_attempts=2, initial_interval=0)
            )
        )
        await ctx.durable_execute_async(str, "other")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    bench = HandlerBench(handler, hands).start()
    hands.started["charge"](ConnectionError())
    bench.operator.drain_until(lambda: bench.slots[1].attempt == 2 and bench.slots[1].due is None)
    hands.started["other"]("now")
    bench.operator.drain_until(lambda: bool(bench.ended))
    assert (bench.slots[1].status, bench.slots[1].attempt, bench.slots[1].due) == ("PENDING", 2, 0)


def test_a_reconciler_that_waits_for_its_turn(shop: Shop) -> None:
    hands = ByHand(begins=False)

    async def handler(value: Any, ctx: Any) -> None:
        charge = ctx.durable_execute_async(str, "charge", durable_id="c", reconciler=shop.look_up)
        call = asyncio.create_task(charge)
        await ctx.durable_execute_async(str, "other")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    slots = HandlerBench(handler, hands).start().slots  # both are in doubt
    again = HandlerBench(handler, hands, slots=slots).start()
    again.operator.drain_until(lambda: "look_up" in hands.started)
    hands.started["other"]("now")
    again.operator.drain_until(lambda: bool(again.ended))
    with pytest.raises(AssertionError):
        hands.started["look_up"]("found")
    [slot] = [slot for slot in again.slots if slot.function_id == "c"]
    assert (slot.status, slot.due) == ("PENDING", None), "it is in doubt, as before"


def test_what_nobody_waits_for_when_the_handler_ends(shop: Shop, executor: CallExecutor) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        for call in (shop.hold, shop.charge_it):
            await give_up_by_wait_for(shop, asyncio.shield(ctx.durable_execute_async(call)))
        return "ended"

    bench = HandlerBench(handler, executor)
    assert bench.run() == "ended"
    shop.go.set()
    other = HandlerBench(other_handler, executor)
    assert other.run() == "7"  # on the thread, or in the room, that it would have taken
    assert shop.charged == []


async def other_handler(value: Any, ctx: Any) -> Any:
    return await ctx.durable_execute_async(str, 7)


@pytest.mark.one_run("waits for what no journal holds")
def test_what_has_started_stays_in_doubt(shop: Shop, executor: CallExecutor) -> None:
    def charge() -> None:
        shop.charged.append("started")
        shop.hold()

    async def handler(value: Any, ctx: Any) -> str:
        call = asyncio.create_task(ctx.durable_execute_async(charge))
        while not shop.charged:
            await asyncio.sleep(0.001)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        return "given up"

    bench = HandlerBench(handler, executor)
    assert bench.run() == "given up"
    [slot] = [slot for slot in bench.slots if "charge" in slot.function_id]
    assert (slot.status, slot.due) == ("PENDING", None)
    shop.go.set()
