"""The rules of a durable call beside the planning table, over every kind of journal."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import pytest
from bridges import TestedJournal
from outside import FORMS, Outside

from pyflink_durable import NOT_EXECUTED, CallCancelled, RemoteError, ResultNotSerializable
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

NOT_CALLABLE = "reconciler must be callable"
TAKES_ARGUMENTS = "reconciler must be a callable that takes no arguments"


class Unpicklable(Exception):
    def __reduce__(self) -> NoReturn:
        raise TypeError("not to be pickled")


class Run:
    """Runs one call in a handler; `again` runs the handler over what the last run left."""

    def __init__(self, journal: TestedJournal, form: str, executor: CallExecutor) -> None:
        self.journal = journal
        self.form = form
        self.outside = Outside()
        remote = form == "coroutine"
        self.charge: Callable[..., Any] = (
            self.outside.charge_remotely if remote else self.outside.charge
        )
        self._executor = executor

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        context = FlinkRunnerContext(self.journal.access(), self._executor)

        async def handler() -> Any:
            if self.form == "sync":
                return context.durable_execute(self.charge, *args, **kwargs)
            return await context.durable_execute_async(self.charge, *args, **kwargs)

        return asyncio.run(handler())

    def again(self, *args: Any, **kwargs: Any) -> Any:
        self.journal.restart()
        return self(*args, **kwargs)

    def statuses(self) -> list[str]:
        return [slot.status for slot in self.journal.slots()]


@pytest.fixture(params=FORMS)
def run(request: pytest.FixtureRequest, journal: TestedJournal, executor: CallExecutor) -> Run:
    return Run(journal, request.param, executor)


@pytest.mark.parametrize(
    ("reconciler", "message"),
    [
        (7, NOT_CALLABLE),
        ("find", NOT_CALLABLE),
        (False, NOT_CALLABLE),
        (lambda order: order, TAKES_ARGUMENTS),
        (lambda *, order: order, TAKES_ARGUMENTS),
        (Outside().charge.__func__, None),
        (dict.get, TAKES_ARGUMENTS),
    ],
    ids=["int", "str", "false", "positional", "keyword", "unbound", "builtin"],
)
def test_a_bad_reconciler_is_refused_before_anything_is_written(
    run: Run, reconciler: Any, message: str | None
) -> None:
    with pytest.raises(TypeError) as caught:
        run(1, reconciler=reconciler)
    assert str(caught.value) == (message or TAKES_ARGUMENTS)
    assert run.journal.operations == []
    assert run.journal.slots() == []
    assert run.outside.asked == []


@pytest.mark.parametrize(
    "reconciler",
    [
        lambda: "found",
        lambda *args, **kwargs: "found",
        lambda order=1, *, tip=0: "found",
        lambda: None,
        dict,
        Outside().look_up,
    ],
)
def test_a_good_reconciler_is_not_forwarded(run: Run, reconciler: Callable[[], Any]) -> None:
    run(1, tip=2, reconciler=reconciler)
    assert run.outside.arguments == [((1,), {"tip": 2})]


def test_reconciler_and_durable_id_are_no_part_of_the_digest(run: Run) -> None:
    run(1, reconciler=run.outside.look_up)
    [slot] = run.journal.slots()
    assert run.again(1) == "charged"
    assert [found[:2] for found in run.journal.slots()] == [slot[:2]]
    assert run.outside.asked == ["charge"]


class Panic(BaseException):
    """As an extension in another language raises it; no `Exception`."""


@pytest.mark.parametrize("stop", [Panic, KeyboardInterrupt, SystemExit])
def test_a_stop_is_never_journaled(run: Run, stop: type[BaseException]) -> None:
    run.outside.answers["charge"] = stop()
    # asyncio.run turns nothing of this into another exception
    with pytest.raises(stop):
        run(1)
    assert run.statuses() == ["PENDING"]
    with pytest.raises(stop):
        run.again(1)
    assert run.statuses() == ["PENDING"]
    run.outside.answers["charge"] = "charged after all"
    assert run.again(1) == "charged after all"
    assert run.statuses() == ["SUCCEEDED"]
    assert run.outside.asked == ["charge"] * 3


@pytest.mark.parametrize(
    "raised",
    [
        asyncio.CancelledError("of its own"),
        GeneratorExit(),
        BaseExceptionGroup("both", [ValueError(), asyncio.CancelledError()]),
    ],
    ids=lambda raised: type(raised).__name__,
)
def test_a_cancellation_that_the_function_raises_is_the_calls_failure(
    run: Run, raised: BaseException
) -> None:
    run.outside.answers["charge"] = raised
    for attempt in (run, run.again):
        with pytest.raises(CallCancelled) as caught:
            attempt(1)
        assert run.statuses() == ["FAILED"]
        assert caught.value.raised == repr(raised)
        assert f".Outside.{run.charge.__name__}" in caught.value.function_id
    assert run.outside.asked == ["charge"]


def test_a_result_that_cannot_be_serialized_fails_the_call(run: Run) -> None:
    run.outside.answers["charge"] = threading.Lock()
    with pytest.raises(ResultNotSerializable, match=r"_thread\.lock") as first:
        run(1)
    assert run.statuses() == ["FAILED"]
    with pytest.raises(ResultNotSerializable) as second:
        run.again(1)
    assert str(second.value) == str(first.value)
    assert run.outside.asked == ["charge"]


def test_an_exception_that_cannot_be_pickled_is_remote_in_both_runs(run: Run) -> None:
    run.outside.answers["charge"] = Unpicklable("declined")
    with pytest.raises(RemoteError) as first:
        run(1)
    assert run.statuses() == ["FAILED"]
    with pytest.raises(RemoteError) as second:
        run.again(1)
    for error in (first.value, second.value):
        assert error.type_name == f"{__name__}.Unpicklable"
        assert error.message == "declined"
        assert "Unpicklable" in error.traceback_text
    assert run.outside.asked == ["charge"]


def test_a_stop_iteration_is_an_exception_like_others(run: Run) -> None:
    run.outside.answers["charge"] = StopIteration("nothing left")
    for attempt in (run, run.again):
        with pytest.raises(RuntimeError, match="StopIteration"):
            attempt(1)
        assert run.statuses() == ["FAILED"]
    assert run.outside.asked == ["charge"]


def test_a_function_that_is_no_function_is_refused(run: Run) -> None:
    run.charge = 7  # type: ignore[assignment]
    with pytest.raises(TypeError, match="takes a function first, not int"):
        run(1)
    assert run.journal.operations == []


def test_arguments_that_do_not_fit_fail_the_call(run: Run) -> None:
    run.charge = _remote_of_one if run.form == "coroutine" else _of_one
    for attempt in (run, run.again):
        with pytest.raises(TypeError, match="positional argument"):
            attempt(1, 2)
        assert run.statuses() == ["FAILED"]


def _of_one(number: int) -> int:
    return number


async def _remote_of_one(number: int) -> int:
    return number


class TestAsynchronousReconciler:
    @pytest.fixture(params=["pool", "coroutine"])
    def run(
        self, request: pytest.FixtureRequest, journal: TestedJournal, executor: CallExecutor
    ) -> Run:
        run = Run(journal, request.param, executor)
        run.outside.answers["charge"] = SystemExit()
        with pytest.raises(SystemExit):
            run(1)
        run.outside.answers["charge"] = "charged"
        run.outside.asked.clear()
        return run

    def test_coroutine_function(self, run: Run) -> None:
        assert run.again(1, reconciler=run.outside.look_up_remotely) == "looked up"
        assert run.outside.asked == ["look_up"]
        assert run.statuses() == ["SUCCEEDED"]

    def test_lambda_that_returns_a_coroutine(self, run: Run) -> None:
        assert run.again(1, reconciler=lambda: run.outside.look_up_remotely()) == "looked up"
        assert run.outside.asked == ["look_up"]

    def test_not_executed(self, run: Run) -> None:
        run.outside.answers["look_up"] = NOT_EXECUTED
        assert run.again(1, reconciler=run.outside.look_up_remotely) == "charged"
        assert run.outside.asked == ["look_up", "charge"]

    def test_raises(self, run: Run) -> None:
        run.outside.answers["look_up"] = LookupError("no such charge")
        with pytest.raises(LookupError, match="no such charge"):
            run.again(1, reconciler=lambda: run.outside.look_up_remotely())
        assert run.statuses() == ["FAILED"]


def test_a_lambda_around_a_coroutine_function_is_awaited(
    journal: TestedJournal, executor: CallExecutor
) -> None:
    run = Run(journal, "pool", executor)
    run.charge = lambda number: _remote_of_one(number)
    assert [run(3), run.again(3)] == [3, 3]


def test_a_synchronous_call_refuses_a_coroutine_function(
    journal: TestedJournal, executor: CallExecutor
) -> None:
    run = Run(journal, "sync", executor)
    run.charge = run.outside.charge_remotely
    with pytest.raises(TypeError, match="is a coroutine function: call it with `await"):
        run(1)
    assert run.journal.operations == []


def test_a_synchronous_call_refuses_a_coroutine_reconciler(
    journal: TestedJournal, executor: CallExecutor
) -> None:
    run = Run(journal, "sync", executor)
    with pytest.raises(TypeError, match="is a coroutine function"):
        run(1, reconciler=run.outside.look_up_remotely)
    assert run.journal.operations == []


class TestBeforeTheAwait:
    @pytest.fixture(params=["pool", "coroutine"])
    def charge(self, request: pytest.FixtureRequest) -> Callable[..., Any]:
        outside = Outside()
        return outside.charge if request.param == "pool" else outside.charge_remotely

    def test_nothing_is_written(
        self, journal: TestedJournal, executor: CallExecutor, charge: Callable[..., Any]
    ) -> None:
        context = FlinkRunnerContext(journal.access(), executor)

        async def handler() -> tuple[list[str], Any]:
            call: Awaitable[Any] = context.durable_execute_async(charge, 1)
            for _ in range(5):
                await asyncio.sleep(0)
            return list(journal.operations), await call

        assert asyncio.run(handler()) == ([], "charged")
        assert len(journal.slots()) == 1

    def test_slots_are_given_in_the_order_of_the_awaits(
        self, journal: TestedJournal, executor: CallExecutor, charge: Callable[..., Any]
    ) -> None:
        context = FlinkRunnerContext(journal.access(), executor)

        async def handler() -> None:
            first = context.durable_execute_async(charge, durable_id="made first")
            second = context.durable_execute_async(charge, durable_id="made second")
            await second
            await first

        asyncio.run(handler())
        assert [slot.function_id for slot in journal.slots()] == ["made second", "made first"]

    def test_a_call_that_is_never_awaited_never_runs_and_warns(
        self, journal: TestedJournal, executor: CallExecutor, charge: Callable[..., Any]
    ) -> None:
        context = FlinkRunnerContext(journal.access(), executor)

        async def handler() -> None:
            context.durable_execute_async(charge, 1)

        with pytest.warns(RuntimeWarning, match=r"was never awaited"):
            asyncio.run(handler())
        assert journal.operations == []
