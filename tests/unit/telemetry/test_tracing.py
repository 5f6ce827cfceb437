"""Spans of invocations and calls."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from bridges import Slot
from handler_bench import NUMBER, HandlerBench
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from pyflink_durable import ConfigurationError, DurableOptions, Observer, RetryPolicy
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.tracing import Tracing
from pyflink_durable.tracing.spans import AttemptSpan

pytestmark = pytest.mark.one_run(reason="a replay has spans of its own")

PARKED = ("orders", "parked", 1)
ENDED = ("orders", "ended", 2)
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


def told_of(slot: int, name: str) -> dict[str, Any]:
    return {
        "durable.call.slot": slot,
        "durable.call.name": name,
        "durable.call.level": "checkpoint",
    }


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def asks() -> str:
    with trace.get_tracer("client", tracer_provider=make_provider()).start_as_current_span("GET"):
        return "answer"


def asks_in_a_thread() -> str:
    with trace.get_tracer("client", tracer_provider=make_provider()).start_as_current_span("GET"):
        return "answer"


async def asks_for_tenant() -> None:
    tracer = trace.get_tracer("client", tracer_provider=make_provider())
    with tracer.start_as_current_span(f"GET {baggage.get_baggage('tenant')}"):
        pass


def in_a_thread(value: Any, ctx: Any) -> str:
    return str(ctx.durable_execute(asks_in_a_thread, durable_id="ask"))


async def on_the_loop(value: Any, ctx: Any) -> str:
    return str(ctx.durable_execute(asks_in_a_thread, durable_id="ask"))


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
        "durable.call.level": "checkpoint",
        "durable.call.attempt": 1,
        "durable.call.reconciled": False,
        "durable.call.status": "SUCCEEDED",
    }


def test_a_call_is_inside_of_what_the_handler_has_open(
    executor: CallExecutor, tracing: Tracing
) -> None:
    async def handle(value: Any, ctx: Any) -> None:
        tracer = trace.get_tracer("handler", tracer_provider=make_provider())
        with tracer.start_as_current_span("checkout"):
            token = context.attach(baggage.set_baggage("tenant", "t-1"))
            await ctx.durable_execute_async(asks_for_tenant, durable_id="charge")
            context.detach(token)

    HandlerBench(handle, executor, observers=[tracing]).run()
    found = spans()

    assert parent_of(found["checkout"]) == id_of(found["durable.invocation"])
    assert parent_of(found["durable.call charge"]) == id_of(found["checkout"])
    assert parent_of(found["GET t-1"]) == id_of(found["durable.call charge"])


@pytest.mark.parametrize("handler", [in_a_thread, on_the_loop])
def test_a_call_of_any_kind_is_inside_of_its_run(
    executor: CallExecutor, tracing: Tracing, handler: Any
) -> None:
    HandlerBench(handler, executor, observers=[tracing]).run()
    found = spans()

    assert parent_of(found["durable.call ask"]) == id_of(found["durable.invocation"])
    assert parent_of(found["GET"]) == id_of(found["durable.call ask"])


def test_a_run_links_to_the_one_before_it(executor: CallExecutor, tracing: Tracing) -> None:
    async def handle(value: Any, ctx: Any) -> None:
        await ctx.sleep(3_600)

    first = HandlerBench(handle, executor, identity=PARKED, observers=[tracing]).start()
    assert first.runner.park([NUMBER])[:1] == [NUMBER]
    (parked,) = exporter.get_finished_spans()
    exporter.clear()
    again = HandlerBench(
        handle, executor, slots=first.slots, identity=PARKED, observers=[tracing]
    ).start()
    assert again.runner.park([NUMBER])[:1] == [NUMBER]
    (run,) = exporter.get_finished_spans()

    assert attributes_of(parked)["durable.call.status"] == "PENDING"
    assert parked.links == ()
    (link,) = run.links
    assert (link.context.trace_id, link.context.span_id) == (trace_of(parked), id_of(parked))


def test_a_run_links_to_none_that_has_ended(executor: CallExecutor, tracing: Tracing) -> None:
    for _ in range(2):
        HandlerBench(handle, executor, identity=ENDED, observers=[tracing]).run()

    runs = [one for one in exporter.get_finished_spans() if one.name == "durable.invocation"]
    assert [one.links for one in runs] == [(), ()]


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
        ("durable.call.replayed", told_of(0, "reserve")),
        ("durable.call.reexecuted", told_of(1, "charge") | {"durable.call.attempt": 1}),
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
    assert attributes_of(wait)["durable.wait.for"] == "checkpoint"
    assert attributes_of(wait)["durable.call.level"] == "gated"
    assert attributes_of(call)["durable.call.level"] == "gated"
    assert parent_of(wait) == parent_of(call)
    assert wait.end_time is not None
    assert call.start_time is not None
    assert wait.end_time <= call.start_time


def test_a_call_that_was_given_up_says_nothing_of_its_outcome(
    executor: CallExecutor, tracing: Tracing
) -> None:
    began = Event()

    async def for_ever() -> None:
        began.set()
        await asyncio.Event().wait()

    async def handle(value: Any, ctx: Any) -> None:
        call = asyncio.create_task(ctx.durable_execute_async(for_ever, durable_id="charge"))
        await asyncio.sleep(0)
        assert began.wait(60)
        call.cancel()
        await asyncio.wait([call])

    HandlerBench(handle, executor, observers=[tracing]).run()

    attributes = spans()["durable.call charge"].attributes
    assert attributes is not None
    assert attributes["durable.call.status"] == "PENDING"


def test_a_reconciler_that_told_the_outcome_is_an_event(
    executor: CallExecutor, tracing: Tracing
) -> None:
    async def handle(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(
            asks, durable_id="charge", reconciler=lambda: "found"
        )

    slots = [Slot("charge", DIGEST)]
    assert HandlerBench(handle, executor, slots=slots, observers=[tracing]).run() == "found"
    (event,) = spans()["durable.invocation"].events

    assert event.name == "durable.call.reconciled"
    assert dict(event.attributes or {}) == told_of(0, "charge") | {
        "durable.call.attempt": 1,
        "durable.call.reconciled": True,
        "durable.call.status": "SUCCEEDED",
    }


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


def test_it_is_an_option_that_goes_into_the_job_graph() -> None:
    given = DurableOptions(tracing=Tracing(make_provider, sample=0.5), observers=[Observer()])
    options: DurableOptions = pickle.loads(pickle.dumps(given))

    *_, tracing = options.every_observer
    assert isinstance(tracing, Tracing)
    tracing.open()
    tracing.close()


def test_a_span_that_begins_behind_its_end_ends_at_once() -> None:
    """A call that is given up in the moment in which its function begins on another thread."""
    tracer = make_provider().get_tracer("test")
    attempt = AttemptSpan()
    attempt.end(asyncio.CancelledError(), {})
    attempt.begin(tracer.start_span("late"))

    assert attributes_of(spans()["late"]) == {"durable.abandoned": True}


def test_a_share_is_from_0_to_1() -> None:
    with pytest.raises(ConfigurationError, match="0 to 1"):
        Tracing(sample=10)
