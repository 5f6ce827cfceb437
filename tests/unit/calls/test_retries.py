"""Calls that fail and are tried again: what is run, what is journaled, what a failure leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from bridges import PythonSixMethods, Slot
from handler_bench import HandlerBench
from loops import PATIENCE, wait_until

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    NotInInvocation,
    RetryPolicy,
    current_call,
)
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import load_exception, load_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

AT_ONCE = RetryPolicy(max_attempts=3, initial_interval=0)
IN_AN_HOUR = RetryPolicy(max_attempts=3, initial_interval=3_600, max_interval=3_600, jitter=0)
DIGEST = compute_args_digest((), {})


class Busy(Exception):
    pass


class Service:
    """Answers one by one what it is told to; notes the attempts that reached it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.attempts: list[int] = []

    def charge(self) -> Any:
        self.attempts.append(current_call().attempt)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def charge_remotely(self) -> Any:
        return self.charge()

    def handler(self, form: str, **options: Any) -> Callable[..., Any]:
        """A handler that makes one call."""
        if form == "def":

            def handle(value: Any, ctx: Any) -> Any:
                return ctx.durable_execute(self.charge, durable_id="charge", **options)

            return handle
        func = self.charge_remotely if form == "coroutine" else self.charge

        async def handle_async(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(func, durable_id="charge", **options)

        return handle_async


@pytest.fixture(params=["pool", "coroutine", "def"])
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


def charge(**fields: Any) -> Slot:
    return Slot("charge", DIGEST, **fields)


def test_a_call_is_tried_until_it_succeeds(form: str, executor: CallExecutor) -> None:
    service = Service(Busy(), Busy(), "charged")
    bench = HandlerBench(service.handler(form, retry=AT_ONCE), executor)
    assert bench.run() == "charged"
    assert service.attempts == [1, 2, 3]
    [slot] = bench.slots
    assert (slot.status, slot.attempt, slot.due) == ("SUCCEEDED", 3, None)
    assert bench.telemetry.counters["retried"] == 2


def test_the_operators_policy_is_every_calls(form: str, executor: CallExecutor) -> None:
    service = Service(Busy(), "charged")
    options = DurableOptions(retry=AT_ONCE)
    assert HandlerBench(service.handler(form), executor, options).run() == "charged"


def test_a_call_may_opt_out_of_it(form: str, executor: CallExecutor) -> None:
    service = Service(Busy())
    options = DurableOptions(retry=AT_ONCE)
    once = RetryPolicy(max_attempts=1)
    with pytest.raises(Busy):
        HandlerBench(service.handler(form, retry=once), executor, options).run()
    assert service.attempts == [1]


def test_the_last_error_is_the_outcome(form: str, executor: CallExecutor) -> None:
    service = Service(Busy(1), Busy(2), Busy(3))
    bench = HandlerBench(service.handler(form, retry=AT_ONCE), executor)
    with pytest.raises(Busy, match="3"):
        bench.run()
    [slot] = bench.slots
    assert slot.status == "FAILED"
    assert slot.exception is not None
    assert load_exception(slot.exception).args == (3,)
    with pytest.raises(Busy, match="3"):
        bench.again().run()
    assert service.attempts == [1, 2, 3]


def test_an_error_that_is_not_worth_it_is_the_outcome(form: str, executor: CallExecutor) -> None:
    service = Service(Busy(), ValueError("declined"))
    retry = AT_ONCE.model_copy(update={"retry_on": (Busy,)})
    with pytest.raises(ValueError, match="declined"):
        HandlerBench(service.handler(form, retry=retry), executor).run()
    assert service.attempts == [1, 2]


def test_no_base_exception_is_tried_again(form: str, executor: CallExecutor) -> None:
    service = Service(KeyboardInterrupt())
    bench = HandlerBench(service.handler(form, retry=AT_ONCE), executor)
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert service.attempts == [1]
    assert bench.statuses == ["PENDING"]


def test_a_broken_retry_on_leaves_the_calls_own_error(form: str, executor: CallExecutor) -> None:
    def broken(error: Exception) -> bool:
        raise ZeroDivisionError

    service = Service(Busy("full"))
    retry = AT_ONCE.model_copy(update={"retry_on": broken})
    bench = HandlerBench(service.handler(form, retry=retry), executor)
    with pytest.raises(Busy, match="full"):
        bench.run()
    assert bench.statuses == ["FAILED"]


def test_in_the_pause_the_journal_says_which_attempt_starts_when(
    form: str, executor: CallExecutor
) -> None:
    service = Service(Busy())
    bench = HandlerBench(service.handler(form, retry=IN_AN_HOUR), executor)
    before = time.time()
    bench.start()
    if form == "def":
        wait_until(lambda: bench.statuses == ["SCHEDULED"])
    else:
        bench.operator.drain_until(lambda: bench.statuses == ["SCHEDULED"])
    [slot] = bench.slots
    assert slot.attempt == 2
    assert slot.due is not None
    assert before + 3_599 < slot.due / 1000 < time.time() + 3_601
    close(bench, executor)


def close(bench: HandlerBench, executor: CallExecutor) -> None:
    executor.end_waits()
    assert bench.runner.close(time.monotonic() + PATIENCE) == []


def test_a_failure_in_the_pause_does_not_cut_it_short(form: str, executor: CallExecutor) -> None:
    service = Service("charged")
    slots = [charge(attempt=2, due=int((time.time() + 3_600) * 1000))]
    bench = HandlerBench(service.handler(form, retry=IN_AN_HOUR), executor, slots=slots).start()
    assert service.attempts == []
    assert bench.slots == slots
    close(bench, executor)
    assert service.attempts == []


def test_an_attempt_that_is_due_starts(form: str, executor: CallExecutor) -> None:
    service = Service("charged")
    handler = service.handler(form, retry=IN_AN_HOUR, reconciler=lambda: "looked up")
    bench = HandlerBench(handler, executor, slots=[charge(attempt=2, due=1)])
    assert bench.run() == "charged"  # it has not started, so nobody is asked
    assert service.attempts == [2]


def test_a_failure_does_not_give_the_attempts_back(form: str, executor: CallExecutor) -> None:
    service = Service(Busy(3))
    handler = service.handler(form, retry=AT_ONCE)
    bench = HandlerBench(handler, executor, slots=[charge(attempt=3, due=1)])
    with pytest.raises(Busy, match="3"):
        bench.run()
    assert service.attempts == [3]


def test_an_attempt_that_was_interrupted_counts(form: str, executor: CallExecutor) -> None:
    service = Service(Busy(), "charged")
    handler = service.handler(form, retry=AT_ONCE)
    bench = HandlerBench(handler, executor, slots=[charge(attempt=1)])
    assert bench.run() == "charged"
    assert service.attempts == [2, 3]
    assert bench.slots[0].attempt == 3


def test_what_a_reconciler_raises_is_not_tried_again(form: str, executor: CallExecutor) -> None:
    def look_up() -> Any:
        raise Busy("was refused")

    service = Service()
    handler = service.handler(form, retry=AT_ONCE, reconciler=look_up)
    bench = HandlerBench(handler, executor, slots=[charge()])
    with pytest.raises(Busy, match="was refused"):
        bench.run()
    assert bench.statuses == ["FAILED"]


def test_what_a_reconciler_says_has_not_happened_has_its_attempts(
    form: str, executor: CallExecutor
) -> None:
    service = Service(Busy(), "charged")
    handler = service.handler(form, retry=AT_ONCE, reconciler=lambda: NOT_EXECUTED)
    bench = HandlerBench(handler, executor, slots=[charge(attempt=1)])
    assert bench.run() == "charged"
    assert service.attempts == [2, 3]


def test_over_six_methods_attempts_last_as_long_as_the_process(
    executor: CallExecutor,
) -> None:

    journal = PythonSixMethods()
    service = Service(Busy(), Busy(), "charged")
    context = FlinkRunnerContext(journal.access(), executor)
    assert asyncio.run(service.handler("pool", retry=AT_ONCE)(0, context)) == "charged"
    assert service.attempts == [1, 2, 3]
    [slot] = journal.slots()
    assert slot.result is not None and load_result(slot.result) == "charged"
    assert journal.operations.count("appendPendingCall") == 1


def test_a_thread_in_a_pause_ends_with_its_task(executor: CallExecutor) -> None:
    errors: list[Exception] = []
    service = Service(Busy())
    handle = service.handler("def", retry=IN_AN_HOUR)

    def handler(value: Any, ctx: Any) -> None:
        try:
            handle(value, ctx)
        except Exception as error:
            errors.append(error)

    bench = HandlerBench(handler, executor).start()
    wait_until(lambda: bench.statuses == ["SCHEDULED"])
    close(bench, executor)
    assert [type(error) for error in errors] == [NotInInvocation]
