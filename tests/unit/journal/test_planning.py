"""The design's planning table, row by row, over every kind of journal and every form of call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from bridges import Slot, TestedJournal
from outside import FORMS, Outside

from pyflink_durable import NOT_EXECUTED, JournalMismatch
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id
from pyflink_durable.options import OnMismatch
from pyflink_durable.payload.results import load_exception, load_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

READ = "getCurrentCallResultFields"
APPEND = "appendPendingCall"
FINALIZE = "finalizeCurrentCall"
CLEAR = "clearCallResultsFromCurrentIndexAndPersist"
ATTEMPT = "startAttemptAt"  # over slots only
MATCH = "matchNextOrClearSubsequentCallResult"


class Stop(BaseException):
    """The failure of a task in the middle of a call."""


class Declined(Exception):
    pass


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


class Bench:
    """One invocation, run again after each failure."""

    def __init__(self, journal: TestedJournal, form: str, executor: CallExecutor) -> None:
        self.journal = journal
        self.form = form
        self.outside = Outside()
        self.telemetry = LocalTelemetry()
        self.on_mismatch: OnMismatch = "clear"
        self._executor = executor

    @property
    def charge(self) -> Callable[..., Any]:
        remote = self.form == "coroutine"
        return self.outside.charge_remotely if remote else self.outside.charge

    @property
    def refund(self) -> Callable[..., Any]:
        remote = self.form == "coroutine"
        return self.outside.refund_remotely if remote else self.outside.refund

    def context(self) -> FlinkRunnerContext:
        return FlinkRunnerContext(
            self.journal.access(),
            subtask=Subtask(self._executor, telemetry=self.telemetry, on_mismatch=self.on_mismatch),
            identity=InvocationIdentity(lambda _: "k"),
        )

    def run(self, *args: Any, func: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
        """A handler that makes one call."""
        return self.run_all([(func or self.charge, args, kwargs)])[0]

    def run_all(self, calls: list[tuple[Callable[..., Any], tuple[Any, ...], Any]]) -> list[Any]:
        """A handler that makes calls one after another."""

        async def handler(ctx: FlinkRunnerContext) -> list[Any]:
            results = []
            for func, args, kwargs in calls:
                if self.form == "sync":
                    results.append(ctx.durable_execute(func, *args, **kwargs))
                else:
                    results.append(await ctx.durable_execute_async(func, *args, **kwargs))
            return results

        return asyncio.run(handler(self.context()))

    def fail_within_call(self, *args: Any) -> None:
        """Leaves the call in doubt and the task failed."""
        answer, self.outside.answers["charge"] = self.outside.answers["charge"], Stop()
        with pytest.raises(Stop):
            self.run(*args)
        self.outside.answers["charge"] = answer
        assert [slot.status for slot in self.journal.slots()][-1] == "PENDING"
        self.restart()

    def restart(self) -> None:
        self.journal.restart()
        self.outside.asked.clear()
        self.telemetry.counters.clear()

    def operated(self, *cursor_methods: str) -> bool:
        return self.journal.operations == self.journal.expected(*cursor_methods)


@pytest.fixture
def bench(journal: TestedJournal, form: str, executor: CallExecutor) -> Bench:
    return Bench(journal, form, executor)


@pytest.fixture(params=[True, False], ids=["reconciler", "no-reconciler"])
def kwargs(request: pytest.FixtureRequest, bench: Bench) -> dict[str, Any]:
    return {"reconciler": bench.outside.look_up} if request.param else {}


class TestTable:
    def test_no_slot_executes(self, bench: Bench, kwargs: dict[str, Any]) -> None:
        assert bench.run(7, tip=1, **kwargs) == "charged"
        assert bench.operated(READ, APPEND, FINALIZE)
        assert bench.outside.asked == ["charge"]
        assert bench.outside.arguments == [((7,), {"tip": 1})]
        [slot] = bench.journal.slots()
        assert slot[:3] == (
            compute_function_id(bench.charge),
            compute_args_digest((7,), {"tip": 1}),
            "SUCCEEDED",
        )
        assert slot.result is not None and load_result(slot.result) == "charged"
        assert slot.exception is None

    def test_other_identity_drops_the_tail_and_executes(
        self, bench: Bench, kwargs: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.run_all([(bench.charge, (n,), {}) for n in (1, 2, 3)])
        bench.restart()
        with caplog.at_level(logging.WARNING, "pyflink_durable"):
            results = bench.run_all([(bench.charge, (1,), {}), (bench.refund, (2,), kwargs)])
        assert results == ["charged", "refund"]
        behind = [READ] if bench.journal.concurrent else []  # what is dropped with it
        assert bench.operated(READ, MATCH, READ, *behind, CLEAR, APPEND, FINALIZE)
        assert bench.outside.asked == ["refund"]
        assert [slot.function_id for slot in bench.journal.slots()] == [
            compute_function_id(bench.charge),
            compute_function_id(bench.refund),
        ]
        assert bench.telemetry.counters == {"replayed": 1, "mismatched": 1}
        [record] = caplog.records
        digest = compute_args_digest((2,), {})
        assert f"journaled={compute_function_id(bench.charge)}({digest})" in record.getMessage()
        assert f"called={compute_function_id(bench.refund)}({digest})" in record.getMessage()

    def test_other_arguments_are_another_identity(self, bench: Bench) -> None:
        bench.run(1)
        bench.restart()
        assert bench.run(2) == "charged"
        assert bench.operated(READ, CLEAR, APPEND, FINALIZE)
        assert [slot.args_digest for slot in bench.journal.slots()] == [
            compute_args_digest((2,), {})
        ]

    def test_a_pending_slot_of_another_call_is_a_mismatch(
        self, bench: Bench, kwargs: dict[str, Any]
    ) -> None:
        bench.fail_within_call(1)
        assert bench.run(1, func=bench.refund, **kwargs) == "refund"
        assert bench.operated(READ, CLEAR, APPEND, FINALIZE)
        assert bench.outside.asked == ["refund"]

    def test_mismatch_fails_where_it_is_to(self, bench: Bench, kwargs: dict[str, Any]) -> None:
        bench.run(1)
        bench.restart()
        before = bench.journal.slots()
        bench.on_mismatch = "fail"
        with pytest.raises(JournalMismatch) as caught:
            bench.run(2, func=bench.refund, **kwargs)
        assert caught.value.slot == 0
        assert caught.value.expected == before[0][:2]
        assert caught.value.found[0] == compute_function_id(bench.refund)
        assert bench.operated(READ)
        assert bench.journal.slots() == before
        assert bench.outside.asked == []
        assert bench.telemetry.counters == {"mismatched": 1}

    def test_succeeded_replays_the_value(self, bench: Bench, kwargs: dict[str, Any]) -> None:
        bench.outside.answers["charge"] = {"id": [1, 2]}
        bench.run(1)
        before = bench.journal.slots()
        bench.restart()
        assert bench.run(1, **kwargs) == {"id": [1, 2]}
        assert bench.operated(READ, MATCH)
        assert bench.outside.asked == []
        assert bench.journal.slots() == before
        assert bench.telemetry.counters == {"replayed": 1}

    def test_failed_replays_the_exception(self, bench: Bench, kwargs: dict[str, Any]) -> None:
        bench.outside.answers["charge"] = Declined("no money")
        with pytest.raises(Declined, match="no money"):
            bench.run(1)
        assert bench.operated(READ, APPEND, FINALIZE)
        before = bench.journal.slots()
        bench.restart()
        with pytest.raises(Declined, match="no money"):
            bench.run(1, **kwargs)
        assert bench.operated(READ, MATCH)
        assert bench.outside.asked == []
        assert bench.journal.slots() == before

    def test_a_replayed_none_is_an_answer(self, bench: Bench) -> None:
        bench.outside.answers["charge"] = None
        bench.run(1)
        bench.restart()
        assert bench.run(1) is None
        assert bench.outside.asked == []

    def test_the_cursor_moves_from_replay_to_execution(self, bench: Bench) -> None:
        bench.run_all([(bench.charge, (n,), {}) for n in (1, 2)])
        bench.restart()
        results = bench.run_all([(bench.charge, (n,), {}) for n in (1, 2, 3)])
        assert results == ["charged"] * 3
        assert bench.operated(READ, MATCH, READ, MATCH, READ, APPEND, FINALIZE)
        assert bench.outside.asked == ["charge"]
        assert len(bench.journal.slots()) == 3

    def test_pending_runs_the_reconciler_in_place_of_the_call(self, bench: Bench) -> None:
        bench.fail_within_call(1)
        assert bench.run(1, reconciler=bench.outside.look_up) == "looked up"
        assert bench.operated(READ, FINALIZE)
        assert bench.outside.asked == ["look_up"]
        assert bench.telemetry.counters == {"reconciled": 1}
        [slot] = bench.journal.slots()
        assert slot.result is not None and load_result(slot.result) == "looked up"
        bench.restart()
        assert bench.run(1, reconciler=bench.outside.look_up) == "looked up"
        assert bench.operated(READ, MATCH)
        assert bench.outside.asked == []

    def test_what_the_reconciler_raises_is_the_outcome(self, bench: Bench) -> None:
        bench.fail_within_call(1)
        bench.outside.answers["look_up"] = Declined("was declined")
        with pytest.raises(Declined, match="was declined"):
            bench.run(1, reconciler=bench.outside.look_up)
        assert bench.operated(READ, FINALIZE)
        assert bench.outside.asked == ["look_up"]
        [slot] = bench.journal.slots()
        assert slot.status == "FAILED"
        assert slot.exception is not None
        assert isinstance(load_exception(slot.exception), Declined)

    def test_pending_without_reconciler_runs_the_call_again(self, bench: Bench) -> None:
        bench.fail_within_call(1)
        assert bench.run(1) == "charged"
        assert bench.operated(READ, ATTEMPT, FINALIZE)
        assert bench.outside.asked == ["charge"]
        assert bench.telemetry.counters == {"reexecuted": 1}

    def test_not_executed_runs_the_call(self, bench: Bench) -> None:
        bench.fail_within_call(1)
        bench.outside.answers["look_up"] = NOT_EXECUTED
        assert bench.run(1, reconciler=bench.outside.look_up) == "charged"
        assert bench.operated(READ, ATTEMPT, FINALIZE)
        assert bench.outside.asked == ["look_up", "charge"]
        assert bench.telemetry.counters == {"reexecuted": 1}

    def test_a_reconciler_that_is_stopped_leaves_the_call_in_doubt(self, bench: Bench) -> None:
        bench.fail_within_call(1)
        before = bench.journal.slots()
        bench.outside.answers["look_up"] = Stop()
        with pytest.raises(Stop):
            bench.run(1, reconciler=bench.outside.look_up)
        assert bench.operated(READ)
        assert bench.journal.slots() == before

    def test_durable_id_takes_the_place_of_the_functions_name(self, bench: Bench) -> None:
        bench.run(1, durable_id="charge/1")
        assert [slot[:2] for slot in bench.journal.slots()] == [
            ("charge/1", compute_args_digest((1,), {}))
        ]
        assert bench.outside.arguments == [((1,), {})]
        bench.restart()
        assert bench.run(1, func=bench.refund, durable_id="charge/1") == "charged"
        assert bench.outside.asked == []


def test_the_python_fake_has_only_the_six_methods() -> None:
    from bridges import PythonSixMethods, SixMethods

    public = {name for name in vars(SixMethods) if not name.startswith("_")}
    assert public == {READ, APPEND, FINALIZE, CLEAR, MATCH, "recordCallCompletion"}
    bridge = PythonSixMethods().bridge
    assert {name for name in vars(bridge) if name != "operations"} == public
    assert Slot("f", "a").status == "PENDING"
