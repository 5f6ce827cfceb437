"""The spans of runs and attempts, and what is told in them."""

from __future__ import annotations

import json
from threading import Lock
from typing import TYPE_CHECKING, Any

from pyflink_durable.observer import ObservedCall, ObservedInvocation

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext

_MOST_RUNS_BEFORE = 10_000


class RunsBefore:
    """The last runs of invocations that have not ended, in this process, for links.

    An attempt of a task takes over here from the one before it, if the process has outlived that.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: dict[int, SpanContext] = {}

    def get(self, trace_id: int) -> SpanContext | None:
        return self._runs.get(trace_id)

    def put(self, trace_id: int, run: SpanContext) -> None:
        with self._lock:
            self._runs.pop(trace_id, None)
            self._runs[trace_id] = run
            if len(self._runs) > _MOST_RUNS_BEFORE:
                del self._runs[next(iter(self._runs))]

    def drop(self, trace_id: int) -> None:
        with self._lock:
            self._runs.pop(trace_id, None)


runs_before = RunsBefore()


class AttemptSpan:
    """The span of an attempt, which begins where the function runs and ends where it is heard of.

    These are two threads: a span that begins behind its end (the call was given up in the moment
    in which it began) ends at once.
    """

    __slots__ = ("_ended", "_lock", "_span")

    def __init__(self) -> None:
        self._lock = Lock()
        self._span: Span | None = None
        self._ended = False

    def begin(self, span: Span) -> None:
        with self._lock:
            self._span = span
            if not self._ended:
                return
        span.set_attribute("durable.abandoned", True)
        span.end()

    def end(self, error: BaseException | None, told: dict[str, Any]) -> None:
        span = self._take()
        if span is not None:
            span.set_attributes(told)
            end_span(span, error)

    def abandon(self) -> None:
        """Nobody will hear of it."""
        span = self._take()
        if span is not None:
            span.set_attribute("durable.abandoned", True)
            span.end()

    def _take(self) -> Span | None:
        with self._lock:
            self._ended = True
            return self._span


class RunSpans:
    """The spans of one run of an invocation."""

    __slots__ = ("attempts", "context", "span", "trace_id", "waits")

    def __init__(self, trace_id: int, span: Span, context: Context) -> None:
        self.trace_id = trace_id
        self.span = span
        self.context = context
        self.attempts: dict[int, AttemptSpan] = {}
        self.waits: dict[int, Span] = {}

    def end(self, error: BaseException | None) -> None:
        """Ends the run, and what it has left open."""
        for span in self.waits.values():
            span.set_attribute("durable.abandoned", True)
            span.end()
        for attempt in self.attempts.values():
            attempt.abandon()
        end_span(self.span, error)


def trace_id_of(invocation: ObservedInvocation) -> int:
    """The trace of all runs of an invocation."""
    return int.from_bytes(invocation.digest("trace"), "big")


def root_of(invocation: ObservedInvocation, trace_id: int, *, sampled: bool) -> Context:
    """The context that all runs of an invocation have for a parent; nobody records it."""
    from opentelemetry import trace

    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    span_id = int.from_bytes(invocation.digest("trace root")[:8], "big")
    root = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(root))


def call_attributes(call: ObservedCall) -> dict[str, Any]:
    """What every span and event of a call tells."""
    return {
        "durable.call.slot": call.slot,
        "durable.call.name": call.name,
        "durable.call.level": call.level,
    }


def tool_attributes(call: ObservedCall, content: bool) -> dict[str, Any]:
    """What a tool's span tells, by OpenTelemetry's conventions for generative AI."""
    tool = call.tool
    assert tool is not None
    told = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool.name,
        "gen_ai.tool.call.id": tool.call_id,
        "gen_ai.tool.type": "function",
    }
    return told | {"gen_ai.tool.call.arguments": as_json(tool.arguments)} if content else told


def as_json(value: Any) -> str:
    """A value as an attribute; text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def end_span(span: Span, error: BaseException | None) -> None:
    """Ends a span with what its run or attempt has ended with."""
    from opentelemetry.trace import StatusCode

    if isinstance(error, Exception):
        span.record_exception(error)
        span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        span.set_attribute("durable.call.status", "FAILED")
        span.set_attribute("error.type", type(error).__qualname__)
    elif error is None:
        span.set_attribute("durable.call.status", "SUCCEEDED")
    else:  # a cancellation says nothing of the call: it is in doubt
        span.set_attribute("durable.call.status", "PENDING")
    span.end()
