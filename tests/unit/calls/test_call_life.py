"""Calls in the wrong place, at the wrong time, given up, and side by side."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from bridges import SixMethods, TestedJournal
from loops import PATIENCE, wait_until
from outside import FORMS, Outside

from pyflink_durable import NestedDurableCall, NotInInvocation
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry


@pytest.fixture
def context(journal: TestedJournal, executor: CallExecutor) -> FlinkRunnerContext:
    return FlinkRunnerContext(
        journal.access(), executor, identity=InvocationIdentity(lambda _: "k-1")
    )


def restarted(journal: TestedJournal, executor: CallExecutor) -> FlinkRunnerContext:
    journal.restart()
    return FlinkRunnerContext(journal.access(), executor)


async def make(context: FlinkRunnerContext, form: str, func: Callable[..., Any], *args: Any) -> Any:
    if form == "sync":
        return context.durable_execute(func, *args)
    return await context.durable_execute_async(func, *args)


class TestNested:
    @pytest.fixture(params=FORMS)
    def form(self, request: pytest.FixtureRequest) -> str:
        form: str = request.param
        return form

    @pytest.mark.parametrize("inner", ["durable_execute", "durable_execute_async"])
    def test_refused_in_a_call(
        self, context: FlinkRunnerContext, journal: TestedJournal, form: str, inner: str
    ) -> None:
        outside = Outside()

        def outer() -> Any:
            return getattr(context, inner)(outside.charge, 1)

        async def outer_remotely() -> Any:
            await asyncio.sleep(0)
            return getattr(context, inner)(outside.charge, 1)

        func = outer_remotely if form == "coroutine" else outer
        with pytest.raises(NestedDurableCall, match=r"charge was called durably from inside"):
            asyncio.run(make(context, form, func))
        assert outside.asked == []
        assert [slot.status for slot in journal.slots()] == ["FAILED"]

    def test_refused_in_a_reconciler(
        self, context: FlinkRunnerContext, journal: TestedJournal, executor: CallExecutor, form: str
    ) -> None:
        outside = Outside()
        outside.answers["charge"] = SystemExit()
        func = outside.charge_remotely if form == "coroutine" else outside.charge
        with pytest.raises(SystemExit):
            asyncio.run(make(context, form, func))
        context = restarted(journal, executor)

        def reconciler() -> Any:
            return context.durable_execute(outside.refund)

        async def handler() -> Any:
            if form == "sync":
                return context.durable_execute(func, reconciler=reconciler)
            return await context.durable_execute_async(func, reconciler=reconciler)

        with pytest.raises(NestedDurableCall):
            asyncio.run(handler())
        assert outside.asked == ["charge"]

    def test_the_next_call_is_not_nested(self, context: FlinkRunnerContext, form: str) -> None:
        outside = Outside()
        func = outside.charge_remotely if form == "coroutine" else outside.charge

        async def handler() -> list[Any]:
            return [await make(context, form, func, n) for n in range(3)]

        assert asyncio.run(handler()) == ["charged"] * 3


class TestAfterTheEnd:
    def test_everything_is_refused(
        self, context: FlinkRunnerContext, journal: TestedJournal
    ) -> None:
        outside = Outside()

        async def handler() -> None:
            made_in_time = context.durable_execute_async(outside.charge, 1)
            state = context.state
            context.end()
            for late in (
                lambda: context.durable_execute(outside.charge, 1),
                lambda: context.durable_execute_async(outside.charge, 1),
                lambda: context.collect(1),
                lambda: state.get("n"),
                lambda: state.__setitem__("n", 1),
                lambda: list(state),
            ):
                with pytest.raises(NotInInvocation, match="'k-1'"):
                    late()
            with pytest.raises(NotInInvocation):
                await made_in_time

        asyncio.run(handler())
        assert journal.operations == []
        assert outside.asked == []

    def test_an_outcome_that_comes_late_is_not_journaled(
        self, journal: TestedJournal, executor: CallExecutor
    ) -> None:
        telemetry = LocalTelemetry()
        context = FlinkRunnerContext(
            journal.access(), subtask=Subtask(executor, telemetry=telemetry)
        )
        started, go = threading.Event(), threading.Event()

        def slow() -> None:
            started.set()
            assert go.wait(PATIENCE)

        async def handler() -> None:
            call = asyncio.create_task(context.durable_execute_async(slow))
            while not started.is_set():
                await asyncio.sleep(0)
            context.end()
            go.set()
            with pytest.raises(NotInInvocation):
                await call

        asyncio.run(handler())
        assert [slot.status for slot in journal.slots()] == ["PENDING"]

    def test_outputs_before_the_end_are_kept_in_order(self, context: FlinkRunnerContext) -> None:
        context.collect(1)
        context.collect("two")
        assert context.end() == {}
        assert context.outputs == [(None, 1), (None, "two")]


def test_a_call_without_a_loop_names_the_other_one(context: FlinkRunnerContext) -> None:
    with pytest.raises(Exception, match=r"ctx\.durable_execute\(\.\.\.\)"):
        context.durable_execute_async(Outside().charge)


class TestGivenUp:
    @pytest.fixture(params=["pool", "coroutine"])
    def form(self, request: pytest.FixtureRequest) -> str:
        form: str = request.param
        return form

    def test_a_cancelled_call_leaves_its_slot_pending(
        self, context: FlinkRunnerContext, journal: TestedJournal, executor: CallExecutor, form: str
    ) -> None:
        started, go, ended = threading.Event(), threading.Event(), threading.Event()

        def slow() -> str:
            started.set()
            assert go.wait(PATIENCE)
            ended.set()
            return "charged"

        async def slow_remotely() -> str:
            started.set()
            while not go.is_set():
                await asyncio.sleep(0)
            ended.set()
            return "charged"

        func = slow_remotely if form == "coroutine" else slow

        async def handler() -> None:
            call = asyncio.create_task(context.durable_execute_async(func))
            await asyncio.sleep(0)
            while not started.is_set():
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go.set()
            while not ended.is_set():
                await asyncio.sleep(0)
            await asyncio.sleep(0)

        asyncio.run(handler())
        assert [slot.status for slot in journal.slots()] == ["PENDING"]
        context = restarted(journal, executor)

        async def recovered() -> Any:
            return await context.durable_execute_async(func, reconciler=lambda: "looked up")

        assert asyncio.run(recovered()) == "looked up"

    def test_a_task_cancelled_before_it_begins_writes_nothing_and_warns_of_nothing(
        self, context: FlinkRunnerContext, journal: TestedJournal, form: str
    ) -> None:
        outside = Outside()
        func = outside.charge_remotely if form == "coroutine" else outside.charge

        async def handler() -> None:
            task = asyncio.create_task(context.durable_execute_async(func))  # type: ignore[arg-type]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            asyncio.run(handler())
            gc.collect()
        assert [str(warning.message) for warning in caught if "awaited" in str(warning)] == []
        assert journal.operations == []
        assert outside.asked == []

    def test_a_result_for_a_closed_loop_disturbs_no_thread(
        self, context: FlinkRunnerContext, executor: CallExecutor, form: str
    ) -> None:
        started, go = threading.Event(), threading.Event()

        def slow() -> None:
            started.set()
            assert go.wait(PATIENCE)

        async def slow_remotely() -> None:
            started.set()
            while not go.is_set():
                await asyncio.sleep(0)

        async def handler() -> None:
            func = slow_remotely if form == "coroutine" else slow
            call = asyncio.create_task(context.durable_execute_async(func))
            while not started.is_set():
                await asyncio.sleep(0)
            call.cancel()

        asyncio.run(handler())
        go.set()
        after = Outside()

        async def another() -> Any:
            context = FlinkRunnerContext(SixMethods(), executor)
            func = after.charge_remotely if form == "coroutine" else after.charge
            return [await context.durable_execute_async(func, n) for n in range(8)]

        assert asyncio.run(another()) == ["charged"] * 8


def test_the_contexts_own_executor_serves_without_one_given(journal: TestedJournal) -> None:
    before = set(threading.enumerate())
    context = FlinkRunnerContext(journal.access())

    async def handler() -> list[Any]:
        outside = Outside()
        return [
            await context.durable_execute_async(outside.charge),
            await context.durable_execute_async(outside.charge_remotely),
        ]

    assert asyncio.run(handler()) == ["charged", "charged"]
    assert context._subtask.executors["calls"].close(time.monotonic() + PATIENCE) == []
    wait_until(lambda: set(threading.enumerate()) <= before)
