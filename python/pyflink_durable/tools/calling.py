"""Makes the tool calls of a request and gathers the answers."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import cached_property, partial
from typing import Any

from pyflink_durable.batch import CallOutcome, CallStatus, DurableCall, Outcomes
from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.context import RunnerContext
from pyflink_durable.errors import ConfigurationError, RemoteError
from pyflink_durable.tool_options import ToolCallMode, ToolCallOptions
from pyflink_durable.tools.context import ContextSnapshot, ToolContext
from pyflink_durable.tools.errors import InvalidArguments, UnknownTool
from pyflink_durable.tools.events import ToolCall, ToolRequestEvent, ToolResponseEvent
from pyflink_durable.tools.observe import ToolObserver
from pyflink_durable.tools.registry import ToolRegistry
from pyflink_durable.tools.run import ToolRun, run_of


def call_tools(
    ctx: RunnerContext,
    registry: ToolRegistry,
    request: ToolRequestEvent,
    *,
    options: ToolCallOptions | None = None,
) -> Coroutine[Any, Any, ToolResponseEvent]:
    """Calls the tools that a model asks for, each as a durable call of its own, all in one batch.

    The identity of a call is ``tool-call-<id>`` and what the model wrote. A call whose tool is
    unknown, or whose arguments do not fit, fails without having started, in each run of the
    handler alike; no failure hides another answer.

    Args:
        ctx: The context of the handler.
        registry: The tools there are.
        request: What the model asks for.
        options: How to make the calls; by default as the operator is set up.

    Returns:
        An answer to every tool call, to be awaited.

    Raises:
        ConfigurationError: The options do not fit the tools or the operator.
    """
    begin = partial(_call_tools, ctx, registry, request, options)
    to_be_awaited = getattr(ctx, "to_be_awaited", None)
    if to_be_awaited is None:  # a plain context
        return begin()
    noted: Coroutine[Any, Any, ToolResponseEvent] = to_be_awaited("call_tools", begin)
    return noted


async def _call_tools(
    ctx: RunnerContext,
    registry: ToolRegistry,
    request: ToolRequestEvent,
    options: ToolCallOptions | None,
) -> ToolResponseEvent:
    chosen = _options_of(ctx, options)
    batch = _ToolBatch(ctx, registry, request)
    if not batch.calls:
        outcomes = Outcomes()
    elif chosen.mode is ToolCallMode.SYNC:
        _check_ordinary(registry)
        outcomes = ctx.durable_execute_all(batch.calls, max_parallelism=1)
    else:
        outcomes = await ctx.durable_execute_all_async(
            batch.calls, max_parallelism=chosen.max_parallelism, timeout=chosen.timeout
        )
    return batch.answer(outcomes)


def call_tools_in_thread(
    ctx: RunnerContext,
    registry: ToolRegistry,
    request: ToolRequestEvent,
    *,
    options: ToolCallOptions | None = None,
) -> ToolResponseEvent:
    """As `call_tools`, for a ``def`` handler, which waits on its thread."""
    chosen = _options_of(ctx, options)
    batch = _ToolBatch(ctx, registry, request)
    if not batch.calls:
        return batch.answer(Outcomes())
    outcomes = ctx.durable_execute_all(
        batch.calls, max_parallelism=chosen.max_parallelism, timeout=chosen.timeout
    )
    return batch.answer(outcomes)


_SHARED = {"num_threads", "max_in_flight"}


class _ToolBatch:
    """The tool calls of a request: those that are refused, and those that become durable calls."""

    def __init__(
        self, ctx: RunnerContext, registry: ToolRegistry, request: ToolRequestEvent
    ) -> None:
        self._ctx = ctx
        self._request = request
        self._observer = ToolObserver.of(ctx)
        self._refused: dict[str, Exception] = {}
        self._runs: dict[str, ToolRun] = {}
        for call in request.tool_calls:
            try:
                self._runs[call.id] = self._run_of(call, registry)
            except (UnknownTool, InvalidArguments) as error:
                self._refused[call.id] = error
                self._observer.refused(call, error)

    def _run_of(self, call: ToolCall, registry: ToolRegistry) -> ToolRun:
        tool = registry.get(call.name)
        arguments = tool.schema.validate(call.arguments)
        context = None
        if tool.schema.takes_context:
            context = ToolContext(self._snapshot, tool.name, call.id)
        return run_of(tool, call, arguments, context, self._observer)

    @cached_property
    def _snapshot(self) -> ContextSnapshot:
        """Taken once, and only if a tool asks for it."""
        return ContextSnapshot(self._ctx)

    @cached_property
    def calls(self) -> list[DurableCall]:
        """The durable calls, in the order of the request."""
        return [run.durable_call() for run in self._runs.values()]

    def answer(self, outcomes: Outcomes) -> ToolResponseEvent:
        """Puts outcomes and refusals together, in the order of the request."""
        outcome_of = dict(zip(self._runs, outcomes, strict=True))
        responses: dict[str, Any] = {}
        error: dict[str, str] = {}
        for call in self._request.tool_calls:
            if call.id in self._refused:
                error[call.id] = str(self._refused[call.id])
                continue
            outcome = outcome_of[call.id]
            self._observer.answered(call, outcome, self._runs[call.id].told)
            if outcome.status is CallStatus.SUCCEEDED:
                responses[call.id] = outcome.value
            else:
                error[call.id] = _text_of(outcome)
        return ToolResponseEvent(
            responses=responses,
            success={call.id: call.id in responses for call in self._request.tool_calls},
            error=error,
            external_ids={call.id: call.external_id for call in self._request.tool_calls},
        )


def _text_of(outcome: CallOutcome) -> str:
    """Says to a model what went wrong; the same text in each run of the handler."""
    if outcome.status is CallStatus.TIMED_OUT:
        return "the tool did not answer in time; it may or may not have done its work"
    if outcome.status is CallStatus.NOT_STARTED:
        return "the tool was not called: the time for all tools was over before its turn"
    if isinstance(outcome.error, RemoteError):  # its text begins with the original type
        return str(outcome.error)
    return f"{type(outcome.error).__name__}: {outcome.error}".removesuffix(": ")


def _options_of(ctx: RunnerContext, options: ToolCallOptions | None) -> ToolCallOptions:
    of_operator: ToolCallOptions = getattr(ctx, "tool_call_options", None) or ToolCallOptions()
    if options is None:
        return of_operator
    for name in _SHARED & options.model_fields_set:
        asked, there = getattr(options, name), getattr(of_operator, name)
        if asked != there:
            raise ConfigurationError(
                f"{name}={asked} is given to one request, but it is a limit of all requests of a "
                f"subtask together, and is {there} there. Set it for the operator: "
                f"DurableOptions(tool_calls=ToolCallOptions({name}=...))"
            )
    return options


def _check_ordinary(registry: ToolRegistry) -> None:
    """Of all tools, not of those asked for: a job should not fail on the day a model asks."""
    for tool in registry:
        for func in (tool.func, tool.rules.reconciler):
            if is_coroutine_function(func):
                raise ConfigurationError(
                    f"tool {tool.name} is a coroutine function, or its reconciler is, which the "
                    "handler's thread cannot run; set tool-call.async to true "
                    "(ToolCallOptions(async_=True)), or write it as an ordinary function"
                )
