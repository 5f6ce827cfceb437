"""A function that runs: what of beginning, revoking, ending and timing out comes first, counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.execution.limits import InFlightLimit
from pyflink_durable.runtime.execution.outcome import FunctionOutcome

ROUNDS = 500


class Invocation:
    """Whose execution it is."""

    def __init__(self, closed: bool = False) -> None:
        self.closed = closed


def submitted(
    report: Callable[[FunctionOutcome], Any] = lambda outcome: None, **options: Any
) -> Execution:
    execution = Execution(int, **options)
    execution.report_to(report)
    return execution


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Does things on threads of their own, as close together as can be; gives what each gave."""
    barrier = threading.Barrier(len(actions))
    gave: list[Any] = [None] * len(actions)

    def act(place: int) -> None:
        barrier.wait()
        gave[place] = actions[place]()

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return gave


def test_what_is_revoked_does_not_begin() -> None:
    execution = submitted()
    assert execution.revoke()
    assert not execution.begin()
    assert not execution.revoke()


def test_what_has_begun_is_not_revoked() -> None:
    execution = submitted()
    assert execution.begin()
    assert not execution.revoke()
    assert not execution.begin(), "twice"


def test_it_begins_or_is_revoked_and_never_both() -> None:
    for _ in range(ROUNDS):
        execution = submitted()
        assert sorted(together(execution.begin, execution.revoke)) == [False, True]


def test_one_of_two_outcomes_is_reported() -> None:
    for _ in range(ROUNDS):
        seen: list[FunctionOutcome] = []
        execution = submitted(seen.append)
        execution.begin()
        first, second = FunctionOutcome(1, None), FunctionOutcome(2, None)
        reported = together(lambda: execution.report(first), lambda: execution.report(second))  # noqa: B023
        assert seen == [first if reported[0] else second]
        assert sorted(reported) == [False, True]


def test_of_an_invocation_that_has_ended_nothing_begins() -> None:
    seen: list[FunctionOutcome] = []
    invocation = Invocation()
    execution = submitted(seen.append, owner=invocation)
    invocation.closed = True
    assert not execution.begin()
    assert not execution.report(FunctionOutcome(None, None))
    assert seen == []


def test_it_is_over_for_the_limit_once_however_it_ends() -> None:
    def report(execution: Execution) -> None:
        execution.begin()
        execution.report(FunctionOutcome(None, None))

    for end in (report, Execution.revoke):
        ended: list[bool] = []
        execution = submitted()
        assert execution.occupy(lambda ended=ended: ended.append(True))  # type: ignore[misc]
        end(execution)
        execution.revoke()
        assert ended == [True]
        assert not execution.occupy(print)


def test_what_it_sets_in_its_context_is_its_own() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")

    def take(name: str) -> str:
        before = tenant.get()
        tenant.set(name)
        return before

    tenant.set("caller's")
    given = copy_context()
    execution = Execution(take, ("its own",))
    execution.context = given.copy()
    assert execution.run() == FunctionOutcome("caller's", None)
    assert Execution(take, ("another's",)).run() == FunctionOutcome("caller's", None)
    assert (tenant.get(), given[tenant]) == ("caller's", "caller's")


class TestLimit:
    def test_room_goes_past_all_that_were_revoked_in_line(self) -> None:
        started: list[Execution] = []
        limit = InFlightLimit(1, started.append)
        executions = [submitted() for _ in range(3_000)]  # more than Python's stack holds
        for execution in executions:
            limit.start(execution)
        for execution in executions[1:-1]:
            execution.revoke()
        executions[0].begin()
        executions[0].report(FunctionOutcome(None, None))
        assert started == [executions[0], executions[-1]]

    def test_one_that_is_in_two_limits_makes_room_in_both(self) -> None:
        started: list[Execution] = []
        limit = InFlightLimit(1, InFlightLimit(1, started.append).start)
        for _ in range(3):
            limit.start(submitted())
            started[-1].revoke()
        assert len(started) == 3

    @pytest.mark.parametrize("how", ["revoked", "reported"])
    def test_the_last_one_leaves_room(self, how: str) -> None:
        started: list[Execution] = []
        limit = InFlightLimit(1, started.append)
        for _ in range(3):
            execution = submitted()
            limit.start(execution)
            if how == "reported":
                execution.begin()
                execution.report(FunctionOutcome(None, None))
            else:
                execution.revoke()
        assert len(started) == 3
