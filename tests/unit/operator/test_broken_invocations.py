"""What no journal holds fails the task, whatever the handler does, and wherever dead letters go."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from host_bench import Task

from pyflink_durable import (
    CallLogError,
    DurableCall,
    DurableOptions,
    FileCallLog,
    HandlerFailed,
    ThreadNotStarted,
)

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

FAILS = ["dead-letter", "fail"]


class Panic(BaseException):
    """As an extension in another language raises it; no `Exception`."""


@pytest.fixture
def new_task() -> Iterator[Callable[..., Task]]:
    tasks: list[Task] = []

    def new_task(handler: Callable[..., Any], **options: Any) -> Task:
        tasks.append(Task(handler, DurableOptions(**{"on_error": "dead-letter"} | options)))
        return tasks[-1]

    yield new_task
    for task in tasks:
        task.host.close()


def fails(task: Task, *steps: Callable[[], Any]) -> HandlerFailed:
    """Starts a handler and resumes it until its task fails."""
    with pytest.raises(HandlerFailed) as caught:
        task.start("order")
        for step in steps:
            step()
        while True:
            task.resume_until_it_reports()
    return caught.value


class TestBaseExceptions:
    @pytest.mark.parametrize("kind", [Panic, SystemExit, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("form", ["async", "async after a call", "def"])
    def test_of_a_handler(
        self, new_task: Callable[..., Task], form: str, kind: type[BaseException]
    ) -> None:
        async def handle_on_the_loop(value: Any, ctx: Any) -> None:
            if form == "async after a call":
                await ctx.durable_execute_async(int)
            raise kind("stop")

        def handle_on_a_thread(value: Any, ctx: Any) -> None:
            raise kind("stop")

        task = new_task(handle_on_a_thread if form == "def" else handle_on_the_loop)
        failure = fails(task)
        assert isinstance(failure.__cause__, kind)
        assert f"{kind.__name__}: stop" in str(failure)

    FORMS = ("sync", "sync batch", "pool", "coroutine", "lambda", "batch", "gather")
    MORE_FORMS = ("reconciler", "timed", "timed coroutine", "def", "def batch")

    @pytest.mark.parametrize("kind", [Panic, SystemExit, KeyboardInterrupt])
    @pytest.mark.parametrize("form", FORMS + MORE_FORMS)
    def test_of_a_function_whatever_the_handler_makes_of_it(
        self, new_task: Callable[..., Task], form: str, kind: type[BaseException]
    ) -> None:
        def charge() -> None:
            raise kind("stop")

        async def charge_remotely() -> None:
            raise kind("stop")

        async def hang() -> None:
            await asyncio.Event().wait()

        async def call(ctx: Any) -> None:
            if form == "sync":
                ctx.durable_execute(charge)
            elif form == "sync batch":
                ctx.durable_execute_all([DurableCall(charge)])
            elif form == "batch":
                await ctx.durable_execute_all_async([DurableCall(charge)])
            elif form == "gather":
                await asyncio.gather(ctx.durable_execute_async(charge), return_exceptions=True)
            elif form == "lambda":
                await ctx.durable_execute_async(lambda: charge_remotely())
            elif form == "reconciler":
                await ctx.durable_execute_async(hang, timeout=0.01, reconciler=charge)
            else:
                func = charge_remotely if "coroutine" in form else charge
                timeout = 30 if "timed" in form else None
                await ctx.durable_execute_async(func, timeout=timeout)

        async def handle_on_the_loop(value: Any, ctx: Any) -> str:
            with suppress(BaseException):
                await call(ctx)
            return "charged"

        def handle_on_a_thread(value: Any, ctx: Any) -> str:
            with suppress(BaseException):
                if form == "def":
                    ctx.durable_execute(charge)
                else:
                    ctx.durable_execute_all([DurableCall(charge)])
            return "charged"

        task = new_task(handle_on_a_thread if "def" in form else handle_on_the_loop)
        failure = fails(task)
        assert isinstance(failure.__cause__, kind)
        slots = task.bridge.journals[1].slots
        assert all(slot.status == "PENDING" for slot in slots)

    def test_of_a_task_of_a_function_end_no_other_call(self, new_task: Callable[..., Task]) -> None:
        calls: list[str] = []

        async def stop() -> None:
            raise SystemExit("stop")

        async def charge() -> str:
            background = asyncio.create_task(stop())
            await asyncio.wait({background})
            assert isinstance(background.exception(), SystemExit)
            calls.append("charged")
            return "charged"

        async def handler(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(charge)

        task = new_task(handler)
        task.start("order")
        report = task.resume_until_it_reports()
        assert report[3] == ("charged",)
        assert any("raised SystemExit('stop')" in line for line in task.bridge.lines)


class TestCallLog:
    """Its failure is the task's, wherever it is in what the handler raises."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {
            "durability": "write-ahead",
            "in_doubt": "raise",
            "call_log": FileCallLog(directory=Path("/log")),
        }

    @staticmethod
    async def as_it_is(call: Any) -> None:
        await call

    @staticmethod
    async def in_a_group(call: Any) -> None:
        try:
            await call
        except CallLogError as error:
            raise ExceptionGroup("outer", [ExceptionGroup("inner", [error])]) from None

    @staticmethod
    async def as_a_cause(call: Any) -> None:
        try:
            await call
        except CallLogError as error:
            raise ValueError("declined") from error

    @staticmethod
    async def as_a_context(call: Any) -> None:
        try:
            await call
        except CallLogError:
            raise ValueError("declined")  # noqa: B904

    @staticmethod
    async def suppressed(call: Any) -> None:
        try:
            await call
        except CallLogError:
            raise ValueError("declined") from None

    @staticmethod
    async def swallowed(call: Any) -> None:
        await asyncio.gather(call, return_exceptions=True)

    @staticmethod
    async def of_a_batch(call: Any) -> None:
        await asyncio.gather(call)

    WAYS = ("as_it_is", "in_a_group", "as_a_cause", "as_a_context", "suppressed", "swallowed")

    @pytest.mark.parametrize("on_error", FAILS)
    @pytest.mark.parametrize("what", ["announcement", "outcome"])
    @pytest.mark.parametrize("way", WAYS)
    def test_of_a_call(
        self,
        new_task: Callable[..., Task],
        options: dict[str, Any],
        way: str,
        what: str,
        on_error: str,
    ) -> None:
        async def handler(value: Any, ctx: Any) -> None:
            await getattr(TestCallLog, way)(ctx.durable_execute_async(int))

        task = new_task(handler, **options | {"on_error": on_error})

        def release() -> None:
            if what == "outcome":
                task.host.resume([1, 0, None])
                task.resume_until_it_reports()
            task.host.resume([1, 0, "disk full"])

        failure = fails(task, release)
        assert "disk full" in str(failure)

    def test_of_a_timer(self, new_task: Callable[..., Task], options: dict[str, Any]) -> None:
        async def handler(value: Any, ctx: Any) -> None:
            await ctx.durable_execute_all_async([DurableCall(int)])

        task = new_task(handler, **options)
        fails(task, lambda: task.host.resume([1, 0, "disk full"]))


class TestNoThread:
    """A limit of processes lets no thread start."""

    @pytest.fixture
    def no_thread(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        start = threading.Thread.start

        def refuse(part: str) -> None:
            def refusing(thread: threading.Thread) -> None:
                if part in thread.name:
                    raise RuntimeError("can't start new thread")
                start(thread)

            monkeypatch.setattr(threading.Thread, "start", refusing)

        return refuse

    @pytest.mark.parametrize("part", ["orders-asyncio", "orders-0"])
    @pytest.mark.parametrize("timeout", [None, 30])
    def test_for_a_call(
        self,
        new_task: Callable[..., Task],
        no_thread: Callable[[str], None],
        part: str,
        timeout: float | None,
    ) -> None:
        async def handler(value: Any, ctx: Any) -> str:
            with suppress(Exception):
                await ctx.durable_execute_async(int, timeout=timeout)
            return "charged"

        no_thread(part)
        failure = fails(new_task(handler))
        assert isinstance(failure.__cause__, ThreadNotStarted)
        assert f"thread durable-{part} cannot be started" in str(failure)
        assert "ulimit -u" in str(failure)

    @pytest.mark.parametrize("part", ["orders-asyncio", "orders-handler-0"])
    def test_for_a_handler(
        self, new_task: Callable[..., Task], no_thread: Callable[[str], None], part: str
    ) -> None:
        no_thread(part)
        failure = fails(new_task(lambda value, ctx: "charged"))
        assert isinstance(failure.__cause__, ThreadNotStarted)

    def test_the_call_has_not_started(
        self, new_task: Callable[..., Task], no_thread: Callable[[str], None]
    ) -> None:
        def handler(value: Any, ctx: Any) -> None:
            ctx.durable_execute(int, timeout=30)

        no_thread("durable-orders-0")
        task = new_task(handler)
        fails(task)
        [slot] = task.bridge.journals[1].slots
        assert (slot.status, slot.due) == ("PENDING", 0)

    def test_calls_go_on_with_the_threads_that_there_are(
        self, new_task: Callable[..., Task], no_thread: Callable[[str], None]
    ) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            calls = (ctx.durable_execute_async(int, number) for number in range(20))
            return sum(await asyncio.gather(*calls))

        no_thread("durable-orders-1")
        task = new_task(handler)
        task.start("order")
        outputs: tuple[Any, ...] = ()
        while not outputs:
            outputs = task.resume_until_it_reports()[3]
        assert outputs == (190,)
        lines = [line for line in task.bridge.lines if "cannot be started" in line]
        assert len(lines) <= 1, "it is said once"
