"""Spans of invocations and calls, by OpenTelemetry; needs the extra ``otel``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.observer import Enter, ObservedCall, ObservedInvocation, Observer

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

_TRACE_BITS = 64


class Tracing(Observer):
    """Makes a span of each run of a handler, and of each attempt of a call.

    All runs of an invocation are one trace: its id is made of the operator, the key and the
    invocation, so that what a run before a failure did and what the run after it did stand side by
    side. A call that is replayed is an event of the run, no span: nothing of it runs. A call that
    waits at the gate, or for the log, has a span ``durable.wait`` meanwhile.

    The function of a call runs in the context of its span, so spans that clients make themselves
    (httpx, openai, database drivers) are inside of it.

    Args:
        provider: Makes the tracer provider, in the TaskManager; it is shut down with the task. It
            must be a function that can be pickled. None takes the provider that is set globally.
        sample: The share of invocations that are traced, from 0 to 1; an invocation is traced in
            all of its runs or in none.
        keys: Whether the key is an attribute of spans; it may be personal.
    """

    def __init__(
        self,
        provider: Callable[[], Any] | None = None,
        *,
        sample: float = 1.0,
        keys: bool = False,
    ) -> None:
        if not 0 <= sample <= 1:
            raise ConfigurationError(f"sample is a share from 0 to 1, not {sample!r}")
        self._make_provider = provider
        self._sample = sample
        self._keys = keys
        self._runs: dict[int, _Run] = {}

    def open(self) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise ConfigurationError(
                "Tracing needs OpenTelemetry in the Python of the TaskManagers: "
                'python -m pip install "pyflink-durable[otel]"'
            ) from error
        self._provider = None if self._make_provider is None else self._make_provider()
        provider = trace.get_tracer_provider() if self._provider is None else self._provider
        self._tracer: Tracer = provider.get_tracer("pyflink_durable")

    def close(self) -> None:
        for run in list(self._runs.values()):
            run.end(None)
        self._runs.clear()
        if self._provider is not None:
            self._provider.shutdown()

    # ---------------------------------------------------------------- invocations

    def invocation_started(self, invocation: ObservedInvocation, replaying: bool) -> None:
        from opentelemetry import context, trace

        attributes: dict[str, Any] = {
            "durable.operator.uid": invocation.operator,
            "durable.invocation.id": invocation.id,
            "durable.invocation.replaying": replaying,
        }
        if self._keys:
            attributes["durable.key"] = repr(invocation.key)
        span = self._tracer.start_span(
            "durable.invocation", self._trace_of(invocation), attributes=attributes
        )
        run = self._runs[id(invocation)] = _Run(span, trace.set_span_in_context(span))
        context.attach(run.context)

    def invocation_ended(self, invocation: ObservedInvocation, error: BaseException | None) -> None:
        run = self._runs.pop(id(invocation), None)
        if run is not None:
            run.end(error)

    def _trace_of(self, invocation: ObservedInvocation) -> Context:
        """The context that all runs of an invocation have for a parent; nobody records it."""
        from opentelemetry import trace

        digest = invocation.digest("trace")
        trace_id = int.from_bytes(digest, "big")
        share = trace_id & (1 << _TRACE_BITS) - 1
        sampled = share < round(self._sample * (1 << _TRACE_BITS))
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
        span_id = int.from_bytes(invocation.digest("trace root")[:8], "big")
        root = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(root))

    # ---------------------------------------------------------------- calls

    def call_held(self, invocation: ObservedInvocation, call: ObservedCall, by: str) -> None:
        run = self._runs.get(id(invocation))
        if run is not None:
            attributes = _attributes(call) | {"durable.wait.for": by.lower()}
            name = f"durable.wait {call.name}"
            run.waits[call.slot] = self._tracer.start_span(name, run.context, attributes=attributes)

    def attempt_started(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> Enter | None:
        from opentelemetry import context, trace

        run = self._runs.get(id(invocation))
        if run is None:
            return None
        wait = run.waits.pop(call.slot, None)
        if wait is not None:
            wait.end()
        attributes = _attributes(call) | {"durable.call.attempt": attempt}
        span = self._tracer.start_span(
            f"durable.call {call.name}", run.context, attributes=attributes
        )
        run.attempts[call.slot] = span
        inside = trace.set_span_in_context(span, run.context)
        return lambda: context.attach(inside)

    def attempt_ended(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        run = self._runs.get(id(invocation))
        span = None if run is None else run.attempts.pop(call.slot, None)
        if span is not None:
            _end(span, error)

    def call_replayed(self, invocation: ObservedInvocation, call: ObservedCall) -> None:
        self._tell(invocation, call, "replayed", {})

    def call_retried(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, due: int
    ) -> None:
        self._tell(invocation, call, "retried", {"durable.call.attempt": attempt})

    def call_reconciled(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        status = "SUCCEEDED" if error is None else "FAILED"
        told = {"durable.call.attempt": attempt, "durable.call.status": status}
        self._tell(invocation, call, "reconciled", told)

    def call_reexecuted(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        self._tell(invocation, call, "reexecuted", {"durable.call.attempt": attempt})

    def call_unknown(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, reason: str
    ) -> None:
        told = {"durable.call.attempt": attempt, "durable.reason": reason}
        self._tell(invocation, call, "unknown", told)

    def _tell(
        self, invocation: ObservedInvocation, call: ObservedCall, event: str, told: dict[str, Any]
    ) -> None:
        run = self._runs.get(id(invocation))
        if run is not None:
            run.span.add_event(f"durable.call.{event}", _attributes(call) | told)


class _Run:
    """The spans of one run of an invocation."""

    __slots__ = ("attempts", "context", "span", "waits")

    def __init__(self, span: Span, context: Context) -> None:
        self.span = span
        self.context = context
        self.attempts: dict[int, Span] = {}
        self.waits: dict[int, Span] = {}

    def end(self, error: BaseException | None) -> None:
        """Ends the run, and what it has left open."""
        for span in (*self.waits.values(), *self.attempts.values()):
            span.set_attribute("durable.abandoned", True)
            span.end()
        _end(self.span, error)


def _attributes(call: ObservedCall) -> dict[str, Any]:
    return {"durable.call.slot": call.slot, "durable.call.name": call.name}


def _end(span: Span, error: BaseException | None) -> None:
    from opentelemetry.trace import StatusCode

    if isinstance(error, Exception):
        span.record_exception(error)
        span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        span.set_attribute("durable.call.status", "FAILED")
    elif error is None:
        span.set_attribute("durable.call.status", "SUCCEEDED")
    else:  # a cancellation says nothing of the call: it is in doubt
        span.set_attribute("durable.call.status", "PENDING")
    span.end()
