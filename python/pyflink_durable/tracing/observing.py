"""The observer that makes spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.observer import Enter, ObservedCall, ObservedInvocation, Observer
from pyflink_durable.tracing.spans import (
    AttemptSpan,
    RunSpans,
    as_json,
    call_attributes,
    root_of,
    runs_before,
    tool_attributes,
    trace_id_of,
)

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_TRACE_BITS = 64


class Tracing(Observer):
    """Makes a span of each run of a handler, and of each attempt of a call.

    All runs of an invocation are one trace: its id is made of the operator, the key and the
    invocation, so that what a run before a failure did and what the run after it did stand side by
    side. A run links to the one before it, if that was in this process, as it is for one that was
    parked. A call that is replayed is an event of the run, no span: nothing of it runs. A call that
    waits at the gate, or for the log, has a span ``durable.wait`` meanwhile.

    A call's span is inside of the one that the handler has open, if it has; and what the function
    of a call does (httpx, openai, database drivers) is inside of the call's. The call of a tool is
    named ``execute_tool NAME``, after OpenTelemetry's conventions for generative AI.

    Args:
        provider: Makes the tracer provider, in the TaskManager; it is shut down with the task. It
            must be a function that can be pickled. None takes the provider that is set globally.
        sample: The share of invocations that are traced, from 0 to 1; an invocation is traced in
            all of its runs or in none.
        keys: Whether the key is an attribute of spans; it may be personal.
        content: Whether what models write to tools, and what tools answer, is; it may be, too.
    """

    def __init__(
        self,
        provider: Callable[[], Any] | None = None,
        *,
        sample: float = 1.0,
        keys: bool = False,
        content: bool = False,
    ) -> None:
        if not 0 <= sample <= 1:
            raise ConfigurationError(f"sample is a share from 0 to 1, not {sample!r}")
        self._make_provider = provider
        self._sampled_below = round(sample * (1 << _TRACE_BITS))
        self._keys = keys
        self._content = content
        self._runs: dict[int, RunSpans] = {}

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

        trace_id = trace_id_of(invocation)
        if not self._is_sampled(trace_id):
            root = root_of(invocation, trace_id, sampled=False)
            context.attach(root)  # so that what clients make is not sampled either
            return
        attributes: dict[str, Any] = {
            "durable.operator.uid": invocation.operator,
            "durable.invocation.id": invocation.id,
            "durable.invocation.replaying": replaying,
        }
        if self._keys:
            attributes["durable.key"] = repr(invocation.key)
        before = runs_before.get(trace_id)
        span = self._tracer.start_span(
            "durable.invocation",
            root_of(invocation, trace_id, sampled=True),
            attributes=attributes,
            links=[] if before is None else [trace.Link(before)],
        )
        runs_before.put(trace_id, span.get_span_context())
        run = RunSpans(trace_id, span, trace.set_span_in_context(span))
        self._runs[id(invocation)] = run
        context.attach(run.context)

    def invocation_ended(self, invocation: ObservedInvocation, error: BaseException | None) -> None:
        run = self._runs.pop(id(invocation), None)
        if run is not None:
            run.end(error)
            if error is None:
                runs_before.drop(run.trace_id)

    def _is_sampled(self, trace_id: int) -> bool:
        return trace_id & (1 << _TRACE_BITS) - 1 < self._sampled_below

    # ---------------------------------------------------------------- calls

    def call_held(self, invocation: ObservedInvocation, call: ObservedCall, by: str) -> None:
        run = self._runs.get(id(invocation))
        if run is not None:
            attributes = call_attributes(call) | {"durable.wait.for": by.lower()}
            name = f"durable.wait {call.name}"
            run.waits[call.slot] = self._tracer.start_span(name, run.context, attributes=attributes)

    def attempt_started(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> Enter | None:
        run = self._runs.get(id(invocation))
        if run is None:
            return None
        wait = run.waits.pop(call.slot, None)
        if wait is not None:
            wait.end()
        opened = run.attempts[call.slot] = AttemptSpan()
        attributes = call_attributes(call) | {
            "durable.call.attempt": attempt,
            "durable.call.reconciled": False,
        }
        name = f"durable.call {call.name}"
        if call.tool is not None:
            name = f"execute_tool {call.tool.name}"
            attributes |= tool_attributes(call, self._content)

        def enter() -> None:
            """In the context of the function, which is that of the handler's code that made it."""
            from opentelemetry import context, trace

            caller = context.get_current()
            if not trace.get_current_span(caller).get_span_context().is_valid:
                caller = run.context
            span = self._tracer.start_span(name, caller, attributes=attributes)
            opened.begin(span)
            context.attach(trace.set_span_in_context(span, caller))

        return enter

    def attempt_ended(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        run = self._runs.get(id(invocation))
        opened = None if run is None else run.attempts.pop(call.slot, None)
        if opened is not None:
            told = {}
            if call.tool is not None and error is None and self._content:
                told = {"gen_ai.tool.call.result": as_json(call.tool.result)}
            opened.end(error, told)

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
        self._tell(invocation, call, "reconciled", told | {"durable.call.reconciled": True})

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
            run.span.add_event(f"durable.call.{event}", call_attributes(call) | told)
