"""Keywords of a durable call: its options, those of its function, and those that look alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from handler_bench import HandlerBench
from host_bench import Task

from pyflink_durable import (
    CallTimedOut,
    DurableOptions,
    LocalRunnerContext,
    RetryPolicy,
)
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.call_options import OptionsResolver

NewTask = Callable[..., Task]


def takes_anything(*args: Any, **kwargs: Any) -> Any:
    return kwargs


def takes_near_names(reconsiler: Any = None, time_out: Any = None) -> Any:
    return reconsiler, time_out


@functools.wraps(takes_near_names)
def decorated(*args: Any, **kwargs: Any) -> Any:
    return takes_near_names(*args, **kwargs)


class Client:
    def get(self, url: str, timeout: float = 5.0) -> float:
        return timeout

    def __call__(self, timeout: float = 5.0) -> float:
        return timeout


def get(url: str, *, timeout: float = 5.0) -> float:
    return timeout


def no_clash(url: str) -> str:
    return url


# ------------------------------------------------------------------------------ near names

NEAR = {
    "reconsiler": "reconciler",
    "reconcile": "reconciler",
    "durableid": "durable_id",
    "durabilty": "durability",
    "indoubt": "in_doubt",
    "in_dobut": "in_doubt",
    "retries_": None,
    "retrys": "retry",
    "time_out": "timeout",
    "timout": "timeout",
    "amount": None,
    "order_id": None,
    "currency": None,
}


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("name", NEAR)
def test_a_misspelt_option_is_refused(executor: CallExecutor, name: str, blocking: bool) -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(takes_anything, **{name: 1})

    def handler_on_a_thread(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute(takes_anything, **{name: 1})

    bench = HandlerBench(handler_on_a_thread if blocking else handler, executor)
    if NEAR[name] is None:
        assert bench.run() == {name: 1}
        return
    with pytest.raises(TypeError, match=rf"no option '{name}'; did you mean {NEAR[name]}=") as no:
        bench.run()
    assert f"functools.partial(func, {name}=...)" in str(no.value)
    assert bench.slots == []


@pytest.mark.parametrize("name", ["reconsiler", "time_out"])
@pytest.mark.parametrize("func", [takes_near_names, decorated, functools.partial(decorated)])
def test_a_parameter_of_that_very_name_is_the_functions(
    executor: CallExecutor, func: Any, name: str
) -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(func, **{name: 1})

    assert 1 in HandlerBench(handler, executor).run()


def test_the_local_context_refuses_it_too() -> None:
    ctx = LocalRunnerContext()
    with pytest.raises(TypeError, match="did you mean reconciler="):
        ctx.durable_execute(takes_anything, reconsiler=1)
    with pytest.raises(TypeError, match="did you mean reconciler="):
        ctx.durable_execute_async(takes_anything, reconsiler=1)


# ------------------------------------------------------------------------------ the same names


def clash(func: Any, **options: Any) -> list[str]:
    lines: list[str] = []
    resolver = OptionsResolver(warn=lines.append)
    for _ in range(3):
        resolver.resolve(False, func=func, **options)
    return lines


@pytest.mark.parametrize(
    "func",
    [
        get,
        takes_anything,
        Client().get,
        Client(),
        functools.partial(get, "url"),
        functools.partial(functools.partial(get), "url"),
    ],
)
def test_an_option_that_the_function_takes_too_is_told_once(func: Any) -> None:
    [line] = clash(func, timeout=5)
    assert line.startswith(f"function={compute_function_id(func)} options=timeout= is taken")
    assert "functools.partial(func, timeout=...)" in line


@pytest.mark.parametrize(
    "func",
    [
        no_clash,
        print,
        functools.partial(get, timeout=3),
        functools.partial(functools.partial(get, timeout=3), "url"),
        functools.partial(takes_anything, timeout=3),
    ],
)
def test_where_nothing_can_be_mistaken_nothing_is_told(func: Any) -> None:
    assert clash(func, timeout=5) == []


def test_it_is_told_at_the_first_call_that_sets_it() -> None:
    lines: list[str] = []
    resolver = OptionsResolver(warn=lines.append)
    resolver.resolve(False, func=get)
    resolver.resolve(False, in_doubt="raise", func=get)
    assert lines == []
    resolver.resolve(False, timeout=5, func=get)
    resolver.resolve(False, timeout=5, func=Client().get)
    assert len(lines) == 2


@pytest.mark.parametrize("retry", [RetryPolicy(), None])
def test_with_any_keywords_what_others_have_as_well(retry: Any) -> None:
    lines = clash(takes_anything, retry=retry, in_doubt="raise", durability="checkpoint")
    [line] = lines
    names = "durability=, retry=" if retry else "durability="
    assert f" options={names} is taken by the durable call" in line


def test_the_task_tells_it(new_task: NewTask) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        for _ in range(3):
            await ctx.durable_execute_async(get, "url", timeout=5)

    task = new_task(handler)
    task.start("order")
    while not task.bridge.counters["ended"]:
        if task.resume_until_it_reports()[2]:
            break
    assert [line for line in task.bridge.lines if "options=timeout=" in line] != []
    assert len(task.bridge.lines) == 1


@pytest.mark.parametrize(
    "partial",
    [
        lambda: functools.partial(get, timeout=5),
        lambda: functools.partial(functools.partial(get, "url"), timeout=5),
        lambda: functools.partial(functools.partial(get, timeout=3), timeout=5),
    ],
)
def test_the_remedy_has_a_stable_identity(partial: Callable[[], Any]) -> None:
    assert compute_function_id(partial()) == compute_function_id(partial())
    assert compute_function_id(partial()) != compute_function_id(get)
    other = functools.partial(get, timeout=6)
    assert compute_function_id(partial()) != compute_function_id(other)


def test_bound_keywords_are_one_set_whatever_their_order_and_nesting() -> None:
    both = [
        functools.partial(takes_anything, a=1, b=2),
        functools.partial(takes_anything, b=2, a=1),
        functools.partial(functools.partial(takes_anything, a=1), b=2),
        functools.partial(functools.partial(takes_anything, b=3, a=1), b=2),
    ]
    assert len({compute_function_id(one) for one in both}) == 1


# ------------------------------------------------------------------------------ retry and timeout


def told_of_timeouts(
    retry_on: Any, has_reconciler: bool = True, in_doubt: Any = None, **policy: Any
) -> list[str]:
    lines: list[str] = []
    resolver = OptionsResolver(warn=lines.append)
    for _ in range(3):
        resolver.resolve(
            has_reconciler, None, in_doubt, RetryPolicy(retry_on=retry_on, **policy), 5
        )
    return lines


@pytest.mark.parametrize("has_reconciler", [False, True])
def test_a_policy_that_does_not_admit_timeouts_is_told_once(has_reconciler: bool) -> None:
    [line] = told_of_timeouts((ConnectionError, KeyError), has_reconciler)
    assert "retry_on=(ConnectionError, KeyError) a call has a timeout" in line
    assert "add CallTimedOut to retry_on" in line


@pytest.mark.parametrize(
    "retry_on", [(Exception,), (CallTimedOut,), (KeyError, TimeoutError), lambda error: False]
)
def test_one_that_does_is_not(retry_on: Any) -> None:
    assert told_of_timeouts(retry_on) == []


def test_nor_is_one_of_a_call_that_is_not_tried_again_anyhow() -> None:
    assert told_of_timeouts(ConnectionError, max_attempts=1) == []
    assert told_of_timeouts(ConnectionError, False, "raise") == []


def test_that_of_the_operator_counts_too() -> None:
    lines: list[str] = []
    retry = RetryPolicy(retry_on=ConnectionError)
    OptionsResolver(DurableOptions(retry=retry, call_timeout=5), warn=lines.append)
    assert len(lines) == 1
