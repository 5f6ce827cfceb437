"""Context variables: a call sees its caller's, and what it sets there is its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from bridges import SlotsInMemory, slot_journal
from handler_bench import HandlerBench
from loops import PATIENCE, Operator
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pyflink_durable import DurableCall, LocalRunnerContext, RetryPolicy, current_call
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")

FORMS = ["pool", "coroutine", "lambda", "timed", "timed coroutine", "batch", "sync", "sync batch"]
DEF_FORMS = ["def", "def timed", "def batch"]


@pytest.fixture
def executor() -> Iterator[CallExecutor]:
    executor = CallExecutor("one", 1)  # which all calls of a test have to share
    yield executor
    assert executor.close(time.monotonic() + PATIENCE) == []


def take_over(mine: str) -> str:
    """Gives what it sees, and sets its own."""
    assert current_call().attempt
    seen = TENANT.get()
    TENANT.set(mine)
    return seen


async def take_over_remotely(mine: str) -> str:
    seen = take_over(mine)
    await asyncio.sleep(0)
    assert TENANT.get() == mine
    return seen


async def make(ctx: Any, form: str, mine: str) -> Any:
    """Makes one call, in any of the forms of an ``async def`` handler."""
    if form == "sync":
        return ctx.durable_execute(take_over, mine)
    if form == "sync batch":
        [outcome] = ctx.durable_execute_all([DurableCall(take_over, (mine,))])
        return outcome.unwrap()
    if form == "batch":
        calls = [DurableCall(take_over, (mine,)), DurableCall(take_over_remotely, (mine,))]
        [first, second] = (await ctx.durable_execute_all_async(calls, max_parallelism=1)).values()
        assert first == second
        return first
    func: Callable[..., Any] = take_over_remotely if "coroutine" in form else take_over
    if form == "lambda":
        func = lambda mine: take_over_remotely(mine)  # noqa: E731
    timeout = PATIENCE if "timed" in form else None
    return await ctx.durable_execute_async(func, mine, timeout=timeout)


@pytest.mark.parametrize("form", FORMS)
def test_each_call_sees_what_its_caller_has_set(form: str, executor: CallExecutor) -> None:
    async def tenant(ctx: Any, name: str) -> tuple[str, str]:
        TENANT.set(name)
        return await make(ctx, form, f"call of {name}"), TENANT.get()

    async def handler(value: Any, ctx: Any) -> Any:
        return await asyncio.gather(*(tenant(ctx, name) for name in ("a", "b", "c")))

    for bench in (HandlerBench(handler, executor), HandlerBench(handler, executor)):
        assert bench.run() == [("a", "a"), ("b", "b"), ("c", "c")]
        assert bench.again().run() == [("a", "a"), ("b", "b"), ("c", "c")]
    assert TENANT.get() == "nobody"


@pytest.mark.parametrize("form", DEF_FORMS)
def test_each_call_of_a_def_handler_does_too(form: str, executor: CallExecutor) -> None:
    def handler(value: Any, ctx: Any) -> Any:
        before = TENANT.get()
        TENANT.set("a")
        if form == "def batch":
            call = DurableCall(take_over, ("call of a",))
            seen = ctx.durable_execute_all([call, call]).values()
        else:
            timeout = PATIENCE if "timed" in form else None
            seen = [
                ctx.durable_execute(take_over, name, timeout=timeout) for name in ("one", "two")
            ]
        return before, seen, TENANT.get()

    bench = HandlerBench(handler, executor)
    assert bench.run() == ("nobody", ["a", "a"], "a")
    assert bench.again().run() == ("nobody", ["a", "a"], "a")


def test_a_def_handler_sees_nothing_of_the_one_before_it_on_its_thread(
    executor: CallExecutor,
) -> None:
    def handler(value: Any, ctx: Any) -> str:
        seen = TENANT.get()
        TENANT.set("left behind")
        return seen

    operator, pool = Operator(), ThreadPool("handler", 1)
    ended: list[Invocation] = []
    runner = ThreadHandlerRunner(handler, operator.loop, executor, pool, ended.append)
    for number in range(2):
        context = FlinkRunnerContext(slot_journal(SlotsInMemory(), size=0), executor)
        runner.start(Invocation(number, "value", context))
    operator.drain_until(lambda: len(ended) == 2)
    assert [one.outcome and one.outcome.value for one in ended] == ["nobody", "nobody"]
    assert runner.close(time.monotonic() + PATIENCE) == []


@pytest.mark.parametrize("remote", [False, True])
def test_each_attempt_and_the_reconciler_start_from_the_callers_context(
    remote: bool, executor: CallExecutor
) -> None:
    seen: list[str] = []

    def charge() -> None:
        seen.append(TENANT.get())
        TENANT.set("an attempt's")
        raise ConnectionError

    async def charge_remotely() -> None:
        charge()

    async def handler(value: Any, ctx: Any) -> None:
        TENANT.set("a")
        retry = RetryPolicy(max_attempts=3, initial_interval=0)
        func: Callable[..., Any] = charge_remotely if remote else charge
        with pytest.raises(ConnectionError):
            await ctx.durable_execute_async(
                func, retry=retry, reconciler=charge, durable_id="charge"
            )

    bench = HandlerBench(handler, executor)
    bench.run()
    assert seen == ["a", "a", "a"]
    pending = bench.slots[0]._replace(status="PENDING", exception=None, completion=-1)
    bench.again([pending]).run()
    assert seen == ["a"] * 4


@pytest.mark.parametrize("form", ["pool", "coroutine"])
def test_a_call_that_waited_at_the_gate_sees_it_too(form: str, executor: CallExecutor) -> None:
    func: Callable[..., Any] = take_over_remotely if form == "coroutine" else take_over

    async def handler(value: Any, ctx: Any) -> Any:
        TENANT.set("a")
        return await ctx.durable_execute_async(func, "call", durability="gated")

    bench = HandlerBench(handler, executor).start()
    bench.release(0)
    assert bench.result() == "a"


@pytest.mark.parametrize("form", ["sync", "pool", "coroutine", "def"])
def test_a_tracer_finds_its_span(form: str, executor: CallExecutor) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")

    def charge() -> str:
        with tracer.start_as_current_span("charge"):
            return format(trace.get_current_span().get_span_context().trace_id, "x")

    async def charge_remotely() -> str:
        return charge()

    async def order(ctx: Any, name: str) -> str:
        with tracer.start_as_current_span(name):
            if form == "sync":
                made: str = ctx.durable_execute(charge)
            else:
                func: Callable[..., Any] = charge_remotely if form == "coroutine" else charge
                made = await ctx.durable_execute_async(func)
            return made

    async def handle_on_the_loop(value: Any, ctx: Any) -> Any:
        return await asyncio.gather(order(ctx, "book"), order(ctx, "lamp"))

    def handle_on_a_thread(value: Any, ctx: Any) -> Any:
        made = []
        for name in ("book", "lamp"):
            with tracer.start_as_current_span(name):
                made.append(ctx.durable_execute(charge))
        return made

    handler: Callable[..., Any] = handle_on_a_thread if form == "def" else handle_on_the_loop
    traces = HandlerBench(handler, executor).run()
    spans = exporter.get_finished_spans()
    outer = {span.name: span for span in spans if span.name != "charge"}
    inner = [span for span in spans if span.name == "charge"]
    assert len(set(traces)) == 2
    assert [format(outer[name].context.trace_id, "x") for name in ("book", "lamp")] == traces
    assert {span.parent.span_id for span in inner if span.parent} == {
        span.context.span_id for span in outer.values()
    }


@pytest.mark.parametrize("form", [form for form in FORMS if "timed" not in form])
def test_the_local_context_is_no_different(form: str) -> None:
    async def handler(ctx: Any) -> Any:
        TENANT.set("a")
        return [await make(ctx, form, f"call {n}") for n in range(2)], TENANT.get()

    assert asyncio.run(handler(LocalRunnerContext())) == (["a", "a"], "a")
