"""A job with a history, metrics of its calls and spans, which fails once."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any

import pytest
from crashkit import Stage, World, act, durable, environment, run, scripted, write_outputs
from pyflink.common import Types

from pyflink_durable import DEAD_LETTER, HISTORY, DeadLetter, DurableOptions, RunnerContext
from pyflink_durable.inspection.past import read_history
from pyflink_durable.tracing import Tracing

pytestmark = pytest.mark.minicluster

NAMES = [f"order-{n}" for n in range(8)]


def provider_of(world: World) -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class Exporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            for span in spans:
                world.note("span", span.name, trace=f"{span.context.trace_id:032x}")
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Exporter()))
    return provider


def handler(world: World) -> Any:
    async def handle(name: str, ctx: RunnerContext) -> str:
        answer = await ctx.durable_execute_async(act, world, name)
        if name == NAMES[0]:
            raise LookupError(name)
        return str(answer)

    return handle


def fail_behind_it(world: World, answer: str) -> str:
    """The first output: its invocation has ended, and runs again."""
    world.crash_once()
    return answer


def shown(letter: DeadLetter) -> str:
    return f"{letter.value} {[(call.function_id, call.status) for call in letter.calls]}"


def test_what_has_ended_is_told_once(world: World) -> None:
    options = DurableOptions(
        on_error="dead-letter",
        history=True,
        call_metrics=True,
        observers=[Tracing(partial(provider_of, world))],
    )
    env = environment(world, restarts=1)
    results = durable(scripted(env, world, [Stage(NAMES)]), handler(world), options=options)
    write_outputs(results.map(partial(fail_behind_it, world), Types.STRING()), world)
    write_outputs(results.get_side_output(HISTORY), world, "history")
    letters = results.get_side_output(DEAD_LETTER).map(shown, Types.STRING())
    write_outputs(letters, world, "letters")

    run(env)

    assert world.crashed()
    lines = [json.loads(line) for line in world.outputs("history")]
    assert Counter(line["key"] for line in lines) == dict.fromkeys(NAMES, 1)
    assert {line["operator"] for line in lines} == {"durable"}
    assert {(slot["name"], slot["status"]) for line in lines for slot in line["slots"]} == {
        ("crashkit.calls.act", "SUCCEEDED")
    }
    ended = {one.key: one.condition for one in read_history(str(world.folder_of("history")))}
    assert ended == dict.fromkeys(NAMES, "ended") | {NAMES[0]: "failed"}
    assert world.outputs("letters") == [f"{NAMES[0]} [('crashkit.calls.act', 'SUCCEEDED')]"]

    spans = world.events("span")
    runs = [one["trace"] for one in spans if one["subject"] == "durable.invocation"]
    calls = {one["trace"] for one in spans if one["subject"] == "durable.call crashkit.calls.act"}
    assert len(set(runs)) == len(calls) == len(NAMES)
    assert len(runs) > len(NAMES)
