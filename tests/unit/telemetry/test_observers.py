"""What observers are told of invocations and calls, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from bridges import Slot
from handler_bench import HandlerBench
from host_bench import Task

from pyflink_durable import CallTimedOut, DurableOptions, Observer, RetryPolicy
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.observer import Enter, ObservedCall, ObservedInvocation
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.telemetry.observers import EVENTS

DIGEST = compute_args_digest((), {})
span: ContextVar[str] = ContextVar("span", default="none")


class Notes(Observer):
    """Writes down each event: its name, the slot, and what else it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def __getattribute__(self, name: str) -> Any:
        if name not in EVENTS:
            return super().__getattribute__(name)

        def note(invocation: ObservedInvocation, *told: Any) -> None:
            assert (invocation.operator, invocation.key, invocation.id) == ("orders", "k", 3)
            known = [one if isinstance(one, (int, str)) else type(one).__name__ for one in told[1:]]
            if told and hasattr(told[0], "slot"):
                self.events.append((name, told[0].name, told[0].slot, *known))
            else:
                what = told[0] if isinstance(told[0], bool) else type(told[0]).__name__
                self.events.append((name, what))

        return note


for event in EVENTS:  # as a subclass that overrides them all
    setattr(Notes, event, lambda self, *told: None)


def calls(*steps: tuple[str, Callable[[], Any], dict[str, Any]]) -> Callable[..., Any]:
    async def handle(value: Any, ctx: Any) -> list[Any]:
        seen: list[Any] = []
        for durable_id, func, options in steps:
            try:
                call = ctx.durable_execute_async(func, durable_id=durable_id, **options)
                seen.append(await call)
            except Exception as error:
                seen.append(type(error).__name__)
        return seen

    return handle


def fails() -> None:
    raise ValueError("declined")


def test_a_call_that_is_made(executor: CallExecutor) -> None:
    notes = Notes()
    bench = HandlerBench(calls(("a", lambda: 1, {})), executor, observers=[notes])
    assert bench.run() == [1]
    assert notes.events == [
        ("invocation_started", False),
        ("attempt_started", "a", 0, 1),
        ("attempt_ended", "a", 0, 1, "NoneType"),
        ("call_ended", "a", 0, "NoneType"),
        ("invocation_ended", "NoneType"),
    ]


def test_a_call_that_is_tried_again_in_vain(executor: CallExecutor) -> None:
    notes = Notes()
    retry = RetryPolicy(max_attempts=2, initial_interval=0.001)
    bench = HandlerBench(calls(("a", fails, {"retry": retry})), executor, observers=[notes])
    assert bench.run() == ["ValueError"]
    retried = notes.events.pop(3)
    assert retried[:4] == ("call_retried", "a", 0, 2)
    assert notes.events[1:-1] == [
        ("attempt_started", "a", 0, 1),
        ("attempt_ended", "a", 0, 1, "ValueError"),
        ("attempt_started", "a", 0, 2),
        ("attempt_ended", "a", 0, 2, "ValueError"),
        ("call_ended", "a", 0, "ValueError"),
    ]


def test_after_a_failure_of_the_job(executor: CallExecutor) -> None:
    notes = Notes()
    handler = calls(
        ("done", fails, {}),
        ("asked", fails, {"reconciler": lambda: 2}),
        ("again", lambda: 3, {}),
        ("unknown", fails, {"in_doubt": "raise"}),
    )
    slots = [
        Slot("done", DIGEST, "SUCCEEDED", dump_result(1), completion=0),
        *(Slot(name, DIGEST) for name in ("asked", "again", "unknown")),
    ]
    bench = HandlerBench(handler, executor, slots=slots, observers=[notes])
    assert bench.run() == [1, 2, 3, "OutcomeUnknown"]
    assert notes.events == [
        ("invocation_started", True),
        ("call_replayed", "done", 0),
        ("call_reconciled", "asked", 1, 1, "NoneType"),
        ("call_ended", "asked", 1, "NoneType"),
        ("call_reexecuted", "again", 2, 1),
        ("attempt_started", "again", 2, 2),
        ("attempt_ended", "again", 2, 2, "NoneType"),
        ("call_ended", "again", 2, "NoneType"),
        ("call_unknown", "unknown", 3, 1, "failure"),
        ("call_ended", "unknown", 3, "OutcomeUnknown"),
        ("invocation_ended", "NoneType"),
    ]


def test_a_call_that_waits_at_the_gate(executor: CallExecutor) -> None:
    notes = Notes()
    handler = calls(("a", lambda: 1, {"durability": "gated"}))
    bench = HandlerBench(handler, executor, observers=[notes]).start()
    assert notes.events[1:] == [("call_held", "a", 0, "CHECKPOINT")]
    bench.release(0)
    assert bench.result() == [1]
    assert notes.events[2] == ("attempt_started", "a", 0, 1)


def test_a_call_that_takes_too_long(executor: CallExecutor) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    notes = Notes()
    options = {"timeout": 0.01, "in_doubt": "raise"}
    bench = HandlerBench(calls(("a", for_ever, options)), executor, observers=[notes])
    assert bench.run() == ["OutcomeUnknown"]
    assert notes.events[2:-2] == [
        ("attempt_ended", "a", 0, 1, "TimedOut"),
        ("attempt_timed_out", "a", 0, 1),
        ("call_unknown", "a", 0, 1, "timeout"),
    ]
    assert CallTimedOut.__name__ not in str(notes.events)


def test_a_call_that_the_handler_gives_up(executor: CallExecutor) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    async def handle(value: Any, ctx: Any) -> None:
        call = asyncio.create_task(ctx.durable_execute_async(for_ever, durable_id="a"))
        await asyncio.sleep(0)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call

    notes = Notes()
    HandlerBench(handler=handle, executor=executor, observers=[notes]).run()
    assert notes.events[1:3] == [
        ("attempt_started", "a", 0, 1),
        ("attempt_ended", "a", 0, 1, "CancelledError"),
    ]


class Spans(Observer):
    """Sets what the function of a call, and the handler, find in their contexts."""

    def invocation_started(self, invocation: ObservedInvocation, replaying: bool) -> None:
        span.set("handler")

    def attempt_started(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> Enter:
        return lambda: span.set(f"{call.name} {attempt}")


async def in_a_coroutine() -> str:
    return span.get()


def in_a_function() -> str:
    return span.get()


async def on_the_loop(value: Any, ctx: Any) -> list[str]:
    return [
        span.get(),
        await ctx.durable_execute_async(in_a_coroutine, durable_id="a"),
        await ctx.durable_execute_async(in_a_function, durable_id="b"),
        await ctx.durable_execute_async(in_a_function, durable_id="c", timeout=60),
        ctx.durable_execute(in_a_function, durable_id="d"),
        span.get(),
    ]


def on_a_thread(value: Any, ctx: Any) -> list[str]:
    return [
        span.get(),
        *(ctx.durable_execute(in_a_function, durable_id=name) for name in "abc"),
        ctx.durable_execute(in_a_function, durable_id="d", timeout=60),
        span.get(),
    ]


@pytest.mark.parametrize("handler", [on_the_loop, on_a_thread])
@pytest.mark.one_run(reason="a replay is not observed by these")
def test_what_it_enters_is_there_for_the_function(
    handler: Callable[..., Any], executor: CallExecutor
) -> None:
    bench = HandlerBench(handler, executor, observers=[Spans()])
    assert bench.run() == ["handler", "a 1", "b 1", "c 1", "d 1", "handler"]


class Broken(Observer):
    def attempt_started(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> Enter:
        return lambda: 1 / 0

    def call_ended(
        self, invocation: ObservedInvocation, call: ObservedCall, error: BaseException | None
    ) -> None:
        raise OSError("no collector\nthere")


def test_one_that_fails_is_told_of_once_and_changes_nothing(
    executor: CallExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    handler = calls(("a", lambda: 1, {}), ("b", lambda: 2, {}))
    bench = HandlerBench(handler, executor, observers=[Broken(), notes])
    assert bench.run() == [1, 2]
    assert len(notes.events) == 8
    first, second = caplog.messages
    assert "observer=Broken.attempt_started raised ZeroDivisionError" in first
    assert "observer=Broken.call_ended raised OSError" in second


class Life(Observer):
    """What it opens is of its class: the job has a copy of the object."""

    lived: list[str]

    def open(self) -> None:
        self.lived.append("opened")

    def invocation_started(self, invocation: ObservedInvocation, replaying: bool) -> None:
        self.lived.append(f"{invocation.operator} {invocation.key}")

    def close(self) -> None:
        self.lived.append("closed")


def test_those_of_the_options_live_as_long_as_the_task(new_task: Callable[..., Task]) -> None:
    async def handle(value: Any, ctx: Any) -> None: ...

    Life.lived = []
    task = new_task(handle, observers=[Life()])
    task.start("order")
    assert Life.lived == ["opened", "orders-1 key-1"]
    task.host.close()
    assert Life.lived[2:] == ["closed"]


def test_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="observers"):
        DurableOptions(observers=[print])
