"""`CallOptions`: one value for many calls, and what stands beside it."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from handler_bench import HandlerBench

from pyflink_durable import (
    CallOptions,
    ConfigurationError,
    DurableCall,
    LocalRunnerContext,
    RetryPolicy,
)
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.tools import tool

RETRY = RetryPolicy(max_attempts=3, initial_interval=0.001)
CHARGE = CallOptions(durable_id="charge", retry=RETRY, in_doubt="raise", timeout=60)


def fetch(url: str, timeout: float = 5.0) -> tuple[str, float]:
    return url, timeout


def anything(**kwargs: Any) -> dict[str, Any]:
    return kwargs


def with_options(options: Any) -> Any:
    return options


def seen_by_the_runtime(executor: CallExecutor, **keywords: Any) -> Any:
    """The call that the runtime makes of the keywords."""
    made: list[Any] = []

    async def handle(value: Any, ctx: Any) -> Any:
        call = ctx.durable_execute_async(lambda: 1, **keywords)
        made.append(call._call)
        return await call

    HandlerBench(handle, executor).run()
    return made[0]


def test_they_are_the_calls(executor: CallExecutor) -> None:
    call = seen_by_the_runtime(executor, options=CHARGE)
    resolved = call.options
    assert (call.durable_id, call.name) == ("charge", "charge")
    assert (resolved.retry, resolved.in_doubt, resolved.timeout) == (RETRY, "raise", 60)


def test_a_keyword_beside_them_goes_before_them(executor: CallExecutor) -> None:
    call = seen_by_the_runtime(executor, options=CHARGE, timeout=3, durable_id="other")
    assert (call.durable_id, call.options.timeout, call.options.in_doubt) == ("other", 3, "raise")


@pytest.fixture(params=["async", "sync", "def", "local"])
def run(request: pytest.FixtureRequest, executor: CallExecutor) -> Callable[..., Any]:
    """Makes one call, in each kind of context."""

    def run(func: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        async def on_the_loop(value: Any, ctx: Any) -> Any:
            if request.param == "sync":
                return ctx.durable_execute(func, *args, **keywords)
            return await ctx.durable_execute_async(func, *args, **keywords)

        def on_a_thread(value: Any, ctx: Any) -> Any:
            return ctx.durable_execute(func, *args, **keywords)

        if request.param == "local":
            return on_a_thread(None, LocalRunnerContext())
        return HandlerBench(on_a_thread if request.param == "def" else on_the_loop, executor).run()

    return run


def test_with_them_the_functions_own_keyword_is_the_functions(run: Callable[..., Any]) -> None:
    assert run(fetch, "/", timeout=3, options=CallOptions(durable_id="page")) == ("/", 3)


def test_without_them_it_is_the_calls(executor: CallExecutor) -> None:
    async def handle(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(fetch, "/", timeout=3)

    assert HandlerBench(handle, executor).run() == ("/", 5.0)


def test_a_function_that_takes_any_keyword_does_not_get_those_of_the_call(
    run: Callable[..., Any],
) -> None:
    assert run(anything, amount=5, durable_id="b", options=CallOptions()) == {"amount": 5}


def test_a_parameter_called_options_is_the_functions(run: Callable[..., Any]) -> None:
    assert run(with_options, options={"a": 1}) == {"a": 1}
    assert run(anything, options={"a": 1}) == {"options": {"a": 1}}


def test_options_of_another_kind_for_a_function_without_any(run: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"options must be CallOptions\(...\), not dict"):
        run(fetch, "/", options={"timeout": 3})


def test_nobody_is_warned_where_nothing_can_be_mistaken(new_task: Callable[..., Any]) -> None:
    async def handle(value: Any, ctx: Any) -> None:
        ctx.durable_execute(fetch, "/", options=CallOptions(in_doubt="raise"))

    task = new_task(handle)
    task.start("order")
    assert task.bridge.lines == []


def test_of_a_batch() -> None:
    call = DurableCall(fetch, ("/",), options=CHARGE, timeout=3)
    assert (call.durable_id, call.retry, call.in_doubt, call.timeout) == (
        "charge",
        RETRY,
        "raise",
        3,
    )
    with pytest.raises(TypeError, match="options must be CallOptions"):
        DurableCall(fetch, ("/",), options={"timeout": 3})  # type: ignore[arg-type]


def test_of_a_tool() -> None:
    @tool(options=CallOptions(timeout=10, retry=RETRY), timeout=3)
    def search(query: str) -> str:
        """Searches."""
        return query

    assert (search.rules.timeout, search.rules.retry) == (3, RETRY)
    for wrong in (CallOptions(durable_id="a"), CallOptions(reconciler=lambda: 1)):
        with pytest.raises(ConfigurationError, match="neither reconciler nor durable_id"):
            tool(options=wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reconciler": 1}, "reconciler must be callable"),
        ({"reconciler": lambda order: order}, "takes no arguments"),
        ({"durable_id": ""}, "1 to 1000 characters"),
        ({"durability": "eventual"}, "durability must be one of"),
        ({"in_doubt": "ask"}, "in_doubt must be one of"),
        ({"retry": 3}, "retry must be a RetryPolicy"),
        ({"timeout": 0}, "timeout must be above 0"),
    ],
    ids=str,
)
def test_they_are_checked_when_they_are_made(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        CallOptions(**wrong)


def test_they_are_frozen_and_cross_to_the_job() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHARGE.timeout = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(CHARGE)) == CHARGE
    assert hash(CHARGE) == hash(dataclasses.replace(CHARGE))
