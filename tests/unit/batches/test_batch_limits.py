"""How many calls run at a time, on which threads, and how many threads wait for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from crowd import Crowd
from loops import PATIENCE, Operator, wait_until

from pyflink_durable import DurableCall
from pyflink_durable.batch import CallPool
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

MakeExecutor = Callable[..., CallExecutor]


@pytest.fixture
def make_executor() -> Iterator[MakeExecutor]:
    made: list[CallExecutor] = []

    def make(*args: Any, **options: Any) -> CallExecutor:
        made.append(CallExecutor(f"test-{len(made)}", *args, **options))
        return made[-1]

    yield make
    for executor in made:
        assert executor.close(time.monotonic() + PATIENCE) == []


def context(executor: CallExecutor, tools: CallExecutor | None = None) -> FlinkRunnerContext:
    executors: dict[CallPool, CallExecutor] = {"calls": executor, "tools": tools or executor}
    return FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executors)


def run(ctx: FlinkRunnerContext, form: str, *args: Any, **limits: Any) -> Any:
    if form == "def":
        return ctx.durable_execute_all(*args, **limits)

    async def handler() -> Any:
        return await ctx.durable_execute_all_async(*args, **limits)

    return Operator().run(handler())


forms = pytest.mark.parametrize("form", ["async", "def"])
kinds = pytest.mark.parametrize("kind", ["visit", "visit_async"])


@forms
@kinds
@pytest.mark.parametrize("limit", [1, 3, 20])
def test_the_parallelism_of_a_batch_is_exact(
    make_executor: MakeExecutor, form: str, kind: str, limit: int
) -> None:
    crowd = Crowd(limit)
    calls = [DurableCall(getattr(crowd, kind))] * 20
    run(context(make_executor(32)), form, calls, limit).raise_first()
    assert (crowd.most, crowd.visits) == (limit, 20)


def test_the_limit_of_tools_holds_over_all_batches_and_kinds(make_executor: MakeExecutor) -> None:
    crowd = Crowd(5)
    tools = make_executor(16, max_in_flight=5)
    calls = [DurableCall(f, pool="tools") for f in (crowd.visit, crowd.visit_async)] * 4
    operator = Operator()

    async def handler() -> None:
        (await context(make_executor(), tools).durable_execute_all_async(calls)).raise_first()

    handlers = [operator.start(handler()) for _ in range(6)]
    operator.drain_until(lambda: all(handler.done() for handler in handlers))
    for ended in handlers:
        ended.result()
    assert (crowd.most, crowd.visits) == (5, 48)


@forms
def test_a_failure_and_a_timeout_make_room(make_executor: MakeExecutor, form: str) -> None:
    go = threading.Event()

    def hang() -> None:
        assert go.wait(PATIENCE)

    async def hang_async() -> None:
        await asyncio.sleep(PATIENCE)

    def fail() -> None:
        raise ValueError

    calls = [
        DurableCall(func, pool="tools", timeout=0.05)
        for func in (fail, hang, hang_async, fail, lambda: hang_async(), lambda: 7)
    ]
    tools = make_executor(2, max_in_flight=1)
    outcomes = run(context(make_executor(), tools), form, calls)
    go.set()
    assert [outcome.status.value for outcome in outcomes] == [
        "FAILED",
        "TIMED_OUT",
        "TIMED_OUT",
        "FAILED",
        "TIMED_OUT",
        "SUCCEEDED",
    ]


@forms
def test_tools_cannot_starve_other_calls(make_executor: MakeExecutor, form: str) -> None:
    crowd = Crowd(1_000)  # which never come together
    calls, tools = make_executor(1), make_executor(2)
    operator = Operator()

    async def stuck() -> None:
        batch = [DurableCall(crowd.visit, pool="tools")] * 10
        await context(calls, tools).durable_execute_all_async(batch)

    waiting = operator.start(stuck())
    wait_until(lambda: crowd.visits == 2)
    [outcome] = run(context(calls, tools), form, [DurableCall(lambda: "free")])
    assert outcome.value == "free"
    assert (crowd.visits, waiting.done()) == (2, False)
    crowd.let_go()
    operator.drain_until(waiting.done)


def test_a_waiting_batch_holds_no_thread(make_executor: MakeExecutor) -> None:
    crowd = Crowd(2_001)  # one more than there are
    executor, operator = make_executor(), Operator()

    async def handler() -> None:
        batch = [DurableCall(crowd.visit_async)] * 2
        (await context(executor).durable_execute_all_async(batch)).raise_first()

    before = threading.active_count()
    handlers = [operator.start(handler()) for _ in range(1_000)]
    wait_until(lambda: crowd.most == 2_000)
    assert threading.active_count() == before + 1  # on which all 2,000 calls wait
    assert not any(one.done() for one in handlers)
    crowd.let_go()
    operator.drain_until(lambda: all(one.done() for one in handlers))
    for one in handlers:
        one.result()


@kinds
def test_ten_slow_calls_take_the_time_of_one(
    make_executor: MakeExecutor, kind: str, record_property: Callable[[str, object], None]
) -> None:
    for limit, most in [(10, 10), (1, 1)]:
        crowd = Crowd(most)
        started = time.monotonic()
        calls = [DurableCall(getattr(crowd, kind), (0.2,))] * 10
        run(context(make_executor()), "async", calls, limit).raise_first()
        seconds = time.monotonic() - started
        print(f"10 calls of 200 ms, {limit} at a time: {seconds:.2f} s")
        record_property(f"seconds_{limit}_at_a_time", seconds)
        assert crowd.most == most  # who is together sleeps together; the clock decides nothing


@forms
def test_a_thousand_coroutines_in_one_batch(make_executor: MakeExecutor, form: str) -> None:
    crowd = Crowd(1_000)
    started = time.monotonic()
    calls = [DurableCall(crowd.visit_async, (0.2,))] * 1_000
    run(context(make_executor()), form, calls).raise_first()
    print(f"1,000 calls of 200 ms in one batch, {form}: {time.monotonic() - started:.2f} s")
    assert (crowd.most, crowd.visits) == (1_000, 1_000)
