"""Spans of invocations and calls."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from bridges import Slot
from handler_bench import HandlerBench
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from pyflink_durable import ConfigurationError, RetryPolicy
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.tracing import Tracing

pytestmark = pytest.mark.one_run(reason="a replay has spans of its own")

DIGEST = compute_args_digest((), {})
exporter = InMemorySpanExporter()


@pytest.fixture(autouse=True)
def _new_exporter() -> None:
    """One that was shut down takes no more."""
    global exporter
    exporter = InMemorySpanExporter()


def make_provider() -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    tracing = Tracing(make_provider)
    tracing.open()
    yield tracing
    tracing.close()


def spans() -> dict[str, ReadableSpan]:
    found = exporter.get_finished_spans()
    assert len({span.name for span in found}) == len(found)
    return {span.name: span for span in found}


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


async def asks() -> str:
    with trace.get_tracer("client", tracer_provider=make_provider()).start_as_current_span("GET"):
        return "answer"


async def handle(value: Any, ctx: Any) -> str:
    await ctx.durable_execute_async(lambda: 1, durable_id="reserve")
    return await ctx.durable_execute_async(asks, durable_id="charge")


def test_a_call_is_a_span_in_that_of_its_run(executor: CallExecutor, tracing: Tracing) -> None:
    HandlerBench(handle, executor, observers=[tracing]).run()
    found = spans()

    run, charge = found["durable.invocation"], found["durable.call charge"]
    assert parent_of(charge) == id_of(run)
    assert parent_of(found["GET"]) == id_of(charge)
    assert run.attributes == {
        "durable.operator.uid": "orders",
        "durable.invocation.id": 3,
        "durable.invocation.replaying": False,
        "durable.call.status": "SUCCEEDED",
    }
    assert charge.attributes == {
        "durable.call.slot": 1,
        "durable.call.name": "charge",
        "durable.call.attempt": 1,
        "durable.call.status": "SUCCEEDED",
    }


def test_a_run_after_a_failure_is_of_the_same_trace(
    executor: CallExecutor, tracing: Tracing
) -> None:
    HandlerBench(handle, executor, observers=[tracing]).run()
    first = spans()["durable.invocation"]
    exporter.clear()
    slots = [
        Slot("reserve", DIGEST, "SUCCEEDED", dump_result(1), completion=0),
        Slot("charge", DIGEST),
    ]
    HandlerBench(handle, executor, slots=slots, observers=[tracing]).run()
    found = spans()
    second = found["durable.invocation"]

    assert trace_of(first) == trace_of(second)
    assert id_of(first) != id_of(second)
    assert second.attributes is not None
    assert second.attributes["durable.invocation.replaying"] is True
    assert [(event.name, dict(event.attributes or {})) for event in second.events] == [
        ("durable.call.replayed", {"durable.call.slot": 0, "durable.call.name": "reserve"}),
        (
            "durable.call.reexecuted",
            {"durable.call.slot": 1, "durable.call.name": "charge", "durable.call.attempt": 1},
        ),
    ]
    assert "durable.call reserve" not in found


def test_an_attempt_that_failed(executor: CallExecutor, tracing: Tracing) -> None:
    def fails() -> None:
        raise ValueError("declined")

    async def handle(value: Any, ctx: Any) -> None:
        retry = RetryPolicy(max_attempts=2, initial_interval=0.001)
        await ctx.durable_execute_async(fails, durable_id="charge", retry=retry)

    with pytest.raises(ValueError, match="declined"):
        HandlerBench(handle, executor, observers=[tracing]).run()
    *attempts, run = exporter.get_finished_spans()

    assert [(span.name, (span.attributes or {})["durable.call.attempt"]) for span in attempts] == [
        ("durable.call charge", 1),
        ("durable.call charge", 2),
    ]
    assert {span.status.status_code for span in (*attempts, run)} == {StatusCode.ERROR}
    assert [event.name for event in run.events] == ["durable.call.retried", "exception"]


def test_a_wait_at_the_gate_is_a_span(executor: CallExecutor, tracing: Tracing) -> None:
    async def handle(value: Any, ctx: Any) -> None:
        await ctx.durable_execute_async(lambda: 1, durable_id="charge", durability="gated")

    bench = HandlerBench(handle, executor, observers=[tracing]).start()
    assert spans() == {}
    bench.release(0)
    bench.result()
    found = spans()

    wait, call = found["durable.wait charge"], found["durable.call charge"]
    assert wait.attributes is not None
    assert wait.attributes["durable.wait.for"] == "checkpoint"
    assert parent_of(wait) == parent_of(call)
    assert wait.end_time is not None
    assert call.start_time is not None
    assert wait.end_time <= call.start_time


def test_a_call_that_was_given_up_says_nothing_of_its_outcome(
    executor: CallExecutor, tracing: Tracing
) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    async def handle(value: Any, ctx: Any) -> None:
        call = asyncio.create_task(ctx.durable_execute_async(for_ever, durable_id="charge"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

    HandlerBench(handle, executor, observers=[tracing]).run()

    attributes = spans()["durable.call charge"].attributes
    assert attributes is not None
    assert attributes["durable.call.status"] == "PENDING"


def test_an_invocation_is_traced_in_all_its_runs_or_in_none(executor: CallExecutor) -> None:
    tracing = Tracing(make_provider, sample=0)
    tracing.open()
    HandlerBench(handle, executor, observers=[tracing]).run()
    tracing.close()

    assert spans() == {}  # nor what a client does inside of a call


def test_the_key_is_told_only_if_that_is_wanted(executor: CallExecutor) -> None:
    tracing = Tracing(make_provider, keys=True)
    tracing.open()
    HandlerBench(handle, executor, observers=[tracing]).run()

    attributes = spans()["durable.invocation"].attributes
    assert attributes is not None
    assert attributes["durable.key"] == "'k'"
    tracing.close()


def test_it_goes_into_the_job_graph() -> None:
    tracing: Tracing = pickle.loads(pickle.dumps(Tracing(make_provider, sample=0.5)))
    tracing.open()
    tracing.close()


def test_a_share_is_from_0_to_1() -> None:
    with pytest.raises(ConfigurationError, match="0 to 1"):
        Tracing(sample=10)
