"""A context, or the handlers' loop, that is used where no handler runs: refused by name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from handler_bench import HandlerBench
from host_bench import Task
from loops import wait_until

from pyflink_durable import (
    DurableCall,
    DurableOptions,
    HandlerFailed,
    NestedDurableCall,
    NotInInvocation,
    UnsupportedLoopOperation,
)
from pyflink_durable.runtime.execution.executors import CallExecutor

AUDIT: Any = type("OutputTag", (), {"tag_id": "audit"})()

USES: dict[str, Callable[[Any], Any]] = {
    "durable_execute": lambda ctx: ctx.durable_execute(str, 1),
    "durable_execute_async": lambda ctx: ctx.durable_execute_async(str, 1),
    "durable_execute_all": lambda ctx: ctx.durable_execute_all([DurableCall(str, (1,))]),
    "durable_execute_all_async": lambda ctx: ctx.durable_execute_all_async([]),
    "collect": lambda ctx: ctx.collect(1),
    "output": lambda ctx: ctx.output(AUDIT, 1),
    "state": lambda ctx: ctx.state.get("seen"),
    "state ": lambda ctx: ctx.state.__setitem__("seen", 1),
    "state  ": lambda ctx: list(ctx.state),
    "sleep": lambda ctx: ctx.sleep(0),
    "now": lambda ctx: ctx.now(),
    "uuid4": lambda ctx: ctx.uuid4(),
    "random": lambda ctx: ctx.random,
}


def error_of(function: Callable[[], Any]) -> str:
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def on_a_thread(function: Callable[[], Any]) -> str:
    """What a thread of its own has met."""
    errors: list[str] = []
    thread = threading.Thread(target=lambda: errors.append(error_of(function)), name="listener")
    thread.start()
    thread.join()
    return errors[0]


# ------------------------------------------------------------------------------ the context


async def in_an_ordinary_function(ctx: Any, use: Any) -> str:
    return await ctx.durable_execute_async(lambda: error_of(lambda: use(ctx)))


async def in_a_coroutine_function(ctx: Any, use: Any) -> str:
    async def function() -> str:
        return error_of(lambda: use(ctx))

    return await ctx.durable_execute_async(function)


async def in_a_task_of_a_coroutine_function(ctx: Any, use: Any) -> str:
    async def inner() -> str:
        return error_of(lambda: use(ctx))

    async def function() -> str:
        return await asyncio.create_task(inner())

    return await ctx.durable_execute_async(function)


async def in_a_sync_call(ctx: Any, use: Any) -> str:
    return ctx.durable_execute(lambda: error_of(lambda: use(ctx)))


async def in_a_batch(ctx: Any, use: Any) -> str:
    batch = [DurableCall(lambda: error_of(lambda: use(ctx)))]
    return (await ctx.durable_execute_all_async(batch)).values()[0]


IN_CALLS = [in_an_ordinary_function, in_a_coroutine_function, in_a_task_of_a_coroutine_function]
IN_CALLS += [in_a_sync_call, in_a_batch]


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("way", IN_CALLS)
def test_inside_a_call(executor: CallExecutor, way: Any, name: str) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        ctx.state["seen"] = 0  # the mapping is there already
        return await way(ctx, USES[name])

    bench = HandlerBench(handler, executor)
    error = bench.run()
    assert error.startswith(NestedDurableCall.__name__)
    assert f"ctx.{name.strip()}" in error or "was called durably from inside" in error
    assert [slot.status for slot in bench.slots] == ["SUCCEEDED"]
    assert bench.ctx.outputs == [(None, error)]  # what the handler has returned
    assert list(bench.ctx.end()) == ["seen"]


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("kind", ["pool", "coroutine", "sync", "handler"])
def test_on_a_thread_that_was_started_there(executor: CallExecutor, kind: str, name: str) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        def function() -> str:
            return on_a_thread(lambda: USES[name](ctx))

        async def function_async() -> str:
            return function()

        if kind == "handler":
            return function()
        if kind == "sync":
            return ctx.durable_execute(function)
        func = function if kind == "pool" else function_async
        return await ctx.durable_execute_async(func)

    bench = HandlerBench(handler, executor)
    error = bench.run()
    assert error.startswith(f"{NotInInvocation.__name__}: ctx.{name.strip()}")
    assert "of the invocation (key=" in error
    assert "on thread 'listener' at" in error
    assert "test_off_the_loop.py" in error
    assert [slot.status for slot in bench.slots] == ([] if kind == "handler" else ["SUCCEEDED"])
    assert bench.ctx.outputs == [(None, error)]


@pytest.mark.parametrize("name", USES)
def test_on_a_thread_that_a_blocking_handler_started(executor: CallExecutor, name: str) -> None:
    def handler(value: Any, ctx: Any) -> str:
        return on_a_thread(lambda: USES[name](ctx))

    bench = HandlerBench(handler, executor)
    assert "on thread 'listener' at" in bench.run()
    assert bench.slots == []


@pytest.mark.parametrize("name", USES)
def test_on_an_event_loop_of_its_own(executor: CallExecutor, name: str) -> None:
    def handler(value: Any, ctx: Any) -> str:
        async def program() -> str:
            return error_of(lambda: USES[name](ctx))

        return asyncio.run(program())

    bench = HandlerBench(handler, executor)
    error = bench.run()
    assert error.startswith(NotInInvocation.__name__)
    assert "on an event loop of its own" in error
    assert bench.slots == []


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("blocking", [False, True])
def test_the_context_of_another_invocation(name: str, blocking: bool) -> None:
    kept: list[Any] = []
    errors: list[str] = []
    both_run = threading.Barrier(2)

    async def handler(value: Any, ctx: Any) -> None:
        kept.append(ctx)
        if value == "second":
            errors.append(error_of(lambda: USES[name](kept[0])))
        else:
            await asyncio.Event().wait()

    def handler_on_a_thread(value: Any, ctx: Any) -> None:
        if value == "first":
            kept.append(ctx)
        both_run.wait()
        if value == "second":
            errors.append(error_of(lambda: USES[name](kept[0])))
        both_run.wait()

    task = Task(handler_on_a_thread if blocking else handler, DurableOptions(close_timeout=0))
    try:
        task.start_together("first", "second")
        if blocking:
            task.resume_until_it_reports()
    finally:
        task.host.close()
    [error] = errors
    assert error.startswith(f"{NotInInvocation.__name__}: ctx.{name.strip()}")
    assert "of the invocation (key=" in error
    assert "key='key-0'" in error


def test_a_dict_that_is_collected_three_times() -> None:
    async def handler(value: Any, ctx: Any) -> Any:
        reused = {"lines": [0]}
        for number in range(3):
            reused["lines"][0] = number
            ctx.collect(reused)
            ctx.output(AUDIT_NUMBERS, reused["lines"])
        reused["lines"][0] = "returned"
        return reused

    AUDIT_NUMBERS: Any = type("OutputTag", (), {"tag_id": "durable-dead-letter"})()
    task = Task(handler, DurableOptions())
    try:
        outputs = task.start("order")[-1]
    finally:
        task.host.close()
    assert [one for one in outputs if isinstance(one, dict)] == [
        {"lines": [number]} for number in (0, 1, 2, "returned")
    ]
    assert [one for one in outputs if isinstance(one, list)] == [[0], [1], [2]]


@pytest.mark.parametrize("how", ["await", "gather", "create_task", "shield", "wait_for"])
def test_a_call_is_awaited_by_the_handler_that_made_it(how: str) -> None:
    """The other one would go on by a result that its own journal does not hold."""
    calls: list[Any] = []

    async def handler(value: Any, ctx: Any) -> Any:
        if not calls:
            calls.append(ctx.durable_execute_async(str, 1))
            await asyncio.sleep(3600)
        call = calls[0]
        if how == "await":
            return await call
        if how == "gather":
            return await asyncio.gather(call)
        if how == "create_task":
            return await asyncio.create_task(call)
        return await (asyncio.shield(call) if how == "shield" else asyncio.wait_for(call, 10))

    task = Task(handler, DurableOptions(on_error="dead-letter"))
    try:
        with pytest.raises(NotInInvocation, match=r"by another one \(key='key-1'"):
            task.start_together("first", "second")
            task.resume_until_it_reports()
    finally:
        task.host.close()


# ------------------------------------------------------------------------------ the loop


class Shared:
    """What a handler waits for, and others could give it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.future = self.loop.create_future()
        self.tasks = [
            asyncio.create_task(waits)
            for waits in (self.event.wait(), self.queue.get(), asyncio.sleep(3600))
        ]

    def end(self) -> None:
        for task in self.tasks:
            task.cancel()


def with_coroutine(function: Callable[..., Any], *more: Any) -> Any:
    coroutine = asyncio.sleep(0)
    try:
        return function(coroutine, *more)
    finally:
        coroutine.close()


WAKES: dict[str, Callable[[Shared], Any]] = {
    "call_soon_threadsafe": lambda shared: shared.loop.call_soon_threadsafe(print),
    "call_soon": lambda shared: shared.loop.call_soon(print),
    "call_later": lambda shared: shared.loop.call_later(0, print),
    "create_task": lambda shared: with_coroutine(shared.loop.create_task),
    "run_coroutine_threadsafe": lambda shared: with_coroutine(
        asyncio.run_coroutine_threadsafe, shared.loop
    ),
    "Event.set": lambda shared: shared.event.set(),
    "Queue.put_nowait": lambda shared: shared.queue.put_nowait(1),
    "Future.set_result": lambda shared: shared.future.set_result(1),
    "Future.set_exception": lambda shared: shared.future.set_exception(ValueError()),
    "Future.cancel": lambda shared: shared.future.cancel(),
    "Task.cancel": lambda shared: shared.tasks[2].cancel(),
}


@pytest.mark.parametrize("name", WAKES)
@pytest.mark.parametrize("kind", ["pool", "coroutine", "sync", "thread of a call", "thread"])
@pytest.mark.one_run("what was woken is not in the journal")
def test_nothing_wakes_a_handler_but_its_journal(
    executor: CallExecutor, kind: str, name: str
) -> None:
    errors: list[str] = []

    async def handler(value: Any, ctx: Any) -> Any:
        shared = Shared()
        shared.future.add_done_callback(lambda future: None)
        await asyncio.sleep(0)  # its tasks wait

        def function() -> str:
            if kind.startswith("thread"):
                errors.append(on_a_thread(lambda: WAKES[name](shared)))
            else:
                errors.append(error_of(lambda: WAKES[name](shared)))
            return errors[0]

        async def function_async() -> str:
            return function()

        try:
            if kind == "thread":
                function()
                await asyncio.Event().wait()
            if kind == "sync":
                return ctx.durable_execute(function)
            func = function_async if kind == "coroutine" else function
            return await ctx.durable_execute_async(func)
        finally:
            shared.end()

    bench = HandlerBench(handler, executor)
    is_own_failure = kind in ("pool", "coroutine", "sync") and (
        "threadsafe" in name or name == "call_later"
    )
    if is_own_failure:
        bench.run()
    else:  # what was waited for may never come, so the task fails
        with pytest.raises(UnsupportedLoopOperation, match="the function of a durable call"):
            bench.run()
            bench.operator.drain_until(lambda: False)
    wait_until(lambda: bool(errors))
    [error] = errors
    if is_own_failure and name == "call_later":
        assert error.startswith(f"{NestedDurableCall.__name__}: a timer of the handler's loop")
        return
    assert error.startswith(UnsupportedLoopOperation.__name__)
    assert "test_off_the_loop.py" in error
    where = "a durable call" if kind in ("pool", "coroutine", "sync") else "thread 'listener'"
    assert where in error


def test_a_callback_from_its_own_thread_is_one_like_others(executor: CallExecutor) -> None:
    async def handler(value: Any, ctx: Any) -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon_threadsafe(future.set_result, "called")
        return await future

    assert HandlerBench(handler, executor).run() == "called"


def test_it_fails_the_task_by_the_host() -> None:
    async def handler(value: Any, ctx: Any) -> None:
        event = asyncio.Event()
        waits = asyncio.create_task(event.wait())
        await asyncio.sleep(0)
        threading.Thread(target=lambda: error_of(event.set)).start()
        await waits

    task = Task(handler, DurableOptions(on_error="dead-letter"))
    try:
        with pytest.raises((UnsupportedLoopOperation, HandlerFailed)):
            task.start("order")
            task.resume_until_it_reports()
    finally:
        task.host.close()
