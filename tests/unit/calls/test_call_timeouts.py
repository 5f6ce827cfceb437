"""Attempts that run into their timeout: what is given up, and how the outcome is found then."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handler_bench import HandlerBench
from loops import PATIENCE, wait_until

from pyflink_durable import (
    NOT_EXECUTED,
    CallCancelled,
    CallTimedOut,
    DurableOptions,
    NotInInvocation,
    OutcomeUnknown,
    RetryPolicy,
    current_call,
)
from pyflink_durable.runtime.execution import timeouts
from pyflink_durable.runtime.execution.executors import CallExecutor

SOON = 0.02
RETRY = RetryPolicy(max_attempts=2, initial_interval=0)


class Slow:
    """A function that hangs in its first attempts; notes the attempts that reached it."""

    def __init__(self, hanging: int = 99) -> None:
        self.go = threading.Event()
        self.attempts: list[int] = []
        self.cancelled = 0
        self.ended = 0
        self._hanging = hanging

    def charge(self) -> str:
        attempt = current_call().attempt
        self.attempts.append(attempt)
        if attempt <= self._hanging:
            assert self.go.wait(PATIENCE)
        self.ended += 1
        return f"charged by {attempt}"

    async def charge_remotely(self) -> str:
        attempt = current_call().attempt
        self.attempts.append(attempt)
        try:
            if attempt <= self._hanging:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"charged by {attempt}"


@pytest.fixture
def slow(executor: CallExecutor) -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.go.set()


@pytest.fixture(params=["pool", "coroutine", "def"])
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


def handler_of(slow: Slow, form: str, **options: Any) -> Callable[..., Any]:
    options = {"timeout": SOON, **options}
    if form == "def":
        return lambda value, ctx: ctx.durable_execute(slow.charge, **options)
    func = slow.charge_remotely if form == "coroutine" else slow.charge

    async def handle(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(func, **options)

    return handle


class TestOutcome:
    def test_unknown_if_there_is_nobody_to_ask(
        self, slow: Slow, form: str, executor: CallExecutor
    ) -> None:
        bench = HandlerBench(handler_of(slow, form), executor)
        with pytest.raises(OutcomeUnknown, match="after a timeout") as caught:
            bench.run()
        assert (caught.value.attempt, caught.value.reason) == (1, "timeout")
        assert bench.statuses == ["FAILED"]
        assert bench.telemetry.counters["timedOut"] == 1
        assert bench.telemetry.counters["unknown"] == 1
        with pytest.raises(OutcomeUnknown):
            bench.again().run()
        assert slow.attempts == [1]

    def test_what_the_reconciler_finds(self, slow: Slow, form: str, executor: CallExecutor) -> None:
        handler = handler_of(slow, form, reconciler=lambda: "looked up", retry=RETRY)
        bench = HandlerBench(handler, executor)
        assert bench.run() == "looked up"
        assert slow.attempts == [1]
        assert bench.statuses == ["SUCCEEDED"]
        assert bench.telemetry.counters["reconciled"] == 1

    def test_what_the_reconciler_raises(
        self, slow: Slow, form: str, executor: CallExecutor
    ) -> None:
        def look_up() -> None:
            raise LookupError("declined")

        with pytest.raises(LookupError, match="declined"):
            handler = handler_of(slow, form, reconciler=look_up, retry=RETRY)
            HandlerBench(handler, executor).run()
        assert slow.attempts == [1]

    def test_timed_out_if_the_reconciler_says_it_has_not_happened(
        self, slow: Slow, form: str, executor: CallExecutor
    ) -> None:
        bench = HandlerBench(handler_of(slow, form, reconciler=lambda: NOT_EXECUTED), executor)
        with pytest.raises(CallTimedOut, match=r"timeout of 0\.02 s"):
            bench.run()
        assert bench.statuses == ["FAILED"]

    def test_tried_again_if_the_reconciler_says_it_has_not_happened(
        self, form: str, executor: CallExecutor
    ) -> None:
        slow = Slow(hanging=1)
        retry = RETRY.model_copy(update={"retry_on": (CallTimedOut,)})
        options = {"reconciler": lambda: NOT_EXECUTED, "retry": retry, "in_doubt": "raise"}
        bench = HandlerBench(handler_of(slow, form, **options, timeout=1.0), executor)
        try:
            assert bench.run() == "charged by 2"
        finally:
            slow.go.set()
        assert slow.attempts == [1, 2]

    def test_tried_again_where_a_repetition_does_no_harm(
        self, form: str, executor: CallExecutor
    ) -> None:
        slow = Slow(hanging=1)
        bench = HandlerBench(handler_of(slow, form, retry=RETRY, timeout=1.0), executor)
        try:
            assert bench.run() == "charged by 2"
        finally:
            slow.go.set()
        assert bench.slots[0].attempt == 2

    def test_unknown_after_the_last_attempt(
        self, slow: Slow, form: str, executor: CallExecutor
    ) -> None:
        with pytest.raises(OutcomeUnknown) as caught:
            HandlerBench(handler_of(slow, form, retry=RETRY), executor).run()
        assert caught.value.attempt == 2
        assert slow.attempts == [1, 2]

    def test_unknown_and_not_repeated_with_in_doubt_raise(
        self, slow: Slow, form: str, executor: CallExecutor
    ) -> None:
        with pytest.raises(OutcomeUnknown):
            HandlerBench(handler_of(slow, form, retry=RETRY, in_doubt="raise"), executor).run()
        assert slow.attempts == [1]

    def test_the_operators_timeout_is_every_calls(
        self, slow: Slow, form: str, executor: CallExecutor
    ) -> None:
        options = DurableOptions(call_timeout=SOON)
        with pytest.raises(OutcomeUnknown):
            HandlerBench(handler_of(slow, form, timeout=None), executor, options).run()

    def test_a_call_in_time_is_none_of_this(self, form: str, executor: CallExecutor) -> None:
        slow = Slow(hanging=0)
        bench = HandlerBench(handler_of(slow, form, timeout=PATIENCE), executor)
        assert bench.run() == "charged by 1"
        assert bench.telemetry.counters["timedOut"] == 0


class TestCoroutine:
    def test_it_is_cancelled(self, slow: Slow, executor: CallExecutor) -> None:
        with pytest.raises(OutcomeUnknown):
            HandlerBench(handler_of(slow, "coroutine"), executor).run()
        assert slow.cancelled == 1

    @pytest.mark.parametrize("answer", ["charged", ValueError("declined")], ids=repr)
    def test_what_it_makes_of_its_cancellation_is_its_outcome(
        self, executor: CallExecutor, answer: Any
    ) -> None:
        async def charge() -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                if isinstance(answer, Exception):
                    raise answer from None
                return answer

        async def handler(value: Any, ctx: Any) -> Any:
            try:
                return await ctx.durable_execute_async(charge, timeout=SOON)
            except ValueError as error:
                return error.args[0]

        bench = HandlerBench(handler, executor)
        assert bench.run() in ("charged", "declined")
        assert bench.telemetry.counters["timedOut"] == 0

    def test_one_that_does_not_end_is_abandoned_and_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timeouts, "CANCEL_SECONDS", SOON)
        abandoned: list[int] = []
        executor = CallExecutor("stubborn", 2, on_abandoned=abandoned.append)
        go: list[Callable[[], None]] = []

        async def charge() -> str:
            event = asyncio.Event()
            go.append(event.set)
            while not event.is_set():
                try:
                    await event.wait()
                except asyncio.CancelledError:
                    if abandoned:
                        raise
            return "late"

        async def handler(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(charge, timeout=SOON)

        bench = HandlerBench(handler, executor)
        with pytest.raises(OutcomeUnknown):
            bench.run()
        assert abandoned == [1]
        assert executor.close(time.monotonic() + PATIENCE) == []
        assert bench.statuses == ["FAILED"]

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
    def test_one_that_stops_in_time_stops_nothing_else(
        self, executor: CallExecutor, kind: type[BaseException]
    ) -> None:
        async def stops() -> None:
            raise kind

        async def charge() -> str:
            return "charged"

        async def handler(value: Any, ctx: Any) -> Any:
            await ctx.durable_execute_async(stops, timeout=PATIENCE)

        async def other(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(charge)

        bench = HandlerBench(handler, executor)
        with pytest.raises(kind):
            bench.run()
        assert bench.statuses == ["PENDING"]
        assert HandlerBench(other, executor).run() == "charged"

    def test_one_that_cancels_itself_has_failed(self, executor: CallExecutor) -> None:
        async def stops() -> None:
            raise asyncio.CancelledError

        async def handler(value: Any, ctx: Any) -> Any:
            await ctx.durable_execute_async(stops, timeout=PATIENCE)

        bench = HandlerBench(handler, executor)
        with pytest.raises(CallCancelled):
            bench.run()
        assert bench.statuses == ["FAILED"]


class TestThread:
    def test_the_pool_goes_on_with_another_in_its_place(self, slow: Slow) -> None:
        abandoned: list[int] = []
        problems: list[str] = []
        executor = CallExecutor(
            "three", 3, on_abandoned=abandoned.append, on_problem=problems.append
        )

        async def handler(value: Any, ctx: Any) -> Any:
            for _ in range(3):
                with pytest.raises(OutcomeUnknown):
                    await ctx.durable_execute_async(slow.charge, timeout=SOON)
            return await ctx.durable_execute_async(str, 7)

        assert HandlerBench(handler, executor).run() == "7"
        assert abandoned == [1, 1, 1]
        slow.go.set()
        wait_until(lambda: slow.ended == 3)
        wait_until(lambda: len(threads("three-")) <= 4)  # three for calls, one for asyncio
        assert problems == []
        assert executor.close(time.monotonic() + PATIENCE) == []

    def test_as_many_are_replaced_as_there_are_and_no_more(self, slow: Slow) -> None:
        problems: list[str] = []
        executor = CallExecutor("single", 1, on_problem=problems.append)

        async def handler(value: Any, ctx: Any) -> Any:
            for _ in range(2):
                with pytest.raises(OutcomeUnknown):
                    await ctx.durable_execute_async(slow.charge, timeout=SOON)
            return await ctx.durable_execute_async(str, 7)

        bench = HandlerBench(handler, executor).start()
        bench.operator.drain_until(lambda: len(bench.slots) == 3)
        wait_until(lambda: bool(problems))
        assert threads("single-") == ["single-asyncio", "single-0", "single-1"]
        assert "pool=single threads=2 all threads run calls that were given up" in problems[0]
        slow.go.set()
        assert bench.result() == "7"
        assert executor.close(time.monotonic() + PATIENCE) == []

    @pytest.mark.one_run("waits for what a call does after its timeout, which no journal holds")
    def test_what_it_returns_late_is_dropped(self, executor: CallExecutor, slow: Slow) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            with pytest.raises(OutcomeUnknown):
                await ctx.durable_execute_async(slow.charge, timeout=SOON)
            slow.go.set()
            while not slow.ended:
                await asyncio.sleep(0.001)
            return await ctx.durable_execute_async(str, 7)

        bench = HandlerBench(handler, executor)
        assert bench.run() == "7"
        charges = [slot for slot in bench.slots if "charge" in slot.function_id]
        assert [slot.status for slot in charges] == ["FAILED"]

    @pytest.mark.one_run("waits for what a call does after its timeout, which no journal holds")
    def test_a_coroutine_that_it_returns_late_is_not_started(
        self, executor: CallExecutor, slow: Slow
    ) -> None:
        ran: list[str] = []

        async def remotely() -> None:
            ran.append("charged")

        def charge() -> Any:
            slow.charge()
            return remotely()

        async def handler(value: Any, ctx: Any) -> Any:
            with pytest.raises(OutcomeUnknown):
                await ctx.durable_execute_async(charge, timeout=SOON)
            slow.go.set()
            while not slow.ended:
                await asyncio.sleep(0.001)
            return [await ctx.durable_execute_async(str, n) for n in range(8)]

        assert len(HandlerBench(handler, executor).run()) == 8
        assert ran == []

    def test_a_thread_that_waits_for_one_ends_with_its_task(self, slow: Slow) -> None:
        executor = CallExecutor("closing", 1)
        errors: list[Exception] = []
        handle = handler_of(slow, "def", timeout=PATIENCE)

        def handler(value: Any, ctx: Any) -> None:
            try:
                handle(value, ctx)
            except Exception as error:
                errors.append(error)

        bench = HandlerBench(handler, executor).start()
        wait_until(lambda: slow.attempts == [1])
        executor.end_waits()
        assert bench.runner.close(time.monotonic() + PATIENCE) == []
        assert [type(error) for error in errors] == [NotInInvocation]
        assert "closing-0" in executor.close(time.monotonic())
        slow.go.set()
        wait_until(lambda: threads("closing-") == [])
        assert bench.statuses == ["PENDING"]


def threads(prefix: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)]
