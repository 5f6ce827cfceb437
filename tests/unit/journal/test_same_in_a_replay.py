"""What a call gives to the handler in the first run is what a replay gives it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from bridges import SlotsInMemory, TestedJournal, slot_journal
from outside import FORMS, Outside

from pyflink_durable import DurableCall, ResultNotSerializable
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext


class Receipt:
    """Leaves its connection out when it is pickled."""

    def __init__(self) -> None:
        self.lines = ["a"]
        self.connection: Any = object()

    def __getstate__(self) -> dict[str, Any]:
        return {"lines": self.lines, "connection": None}


class Unreadable:
    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


class Declined(Exception):
    """The bank says no."""


def declined_by(cause: Exception) -> Declined:
    try:
        try:
            raise cause
        except Exception as error:
            raise Declined("no funds") from error
    except Declined as declined:
        return declined


Seen = Callable[[Any, Exception | None], Any]


class Handler:
    """Makes one call of a form, and tells what the handler sees of its outcome."""

    def __init__(self, form: str, executor: CallExecutor, seen: Seen) -> None:
        self.outside = Outside()
        self._form = form
        self._executor = executor
        self._seen = seen
        remote = form == "coroutine"
        self._charge = self.outside.charge_remotely if remote else self.outside.charge
        self._look_up = self.outside.look_up_remotely if remote else self.outside.look_up

    def run(self, journal: TestedJournal) -> Any:
        return asyncio.run(self._handle(journal))

    async def _handle(self, journal: TestedJournal) -> Any:
        ctx = FlinkRunnerContext(journal.access(), self._executor)
        value, failure = None, None
        try:
            if self._form == "sync":
                value = ctx.durable_execute(self._charge, reconciler=self._look_up)
            else:
                value = await ctx.durable_execute_async(self._charge, reconciler=self._look_up)
        except Exception as error:
            failure = error
        return self._seen(value, failure)


@pytest.fixture(params=FORMS)
def handler_of(request: pytest.FixtureRequest, executor: CallExecutor) -> Callable[[Seen], Handler]:
    return lambda seen: Handler(request.param, executor, seen)


HandlerOf = Callable[[Seen], Handler]


def runs_of(handler: Handler, journal: TestedJournal) -> list[Any]:
    first = handler.run(journal)
    journal.restart()
    return [first, handler.run(journal)]


def test_a_result_that_the_outside_keeps_and_changes(
    handler_of: HandlerOf, journal: TestedJournal
) -> None:
    kept = ["a"]

    def seen(value: Any, error: Any) -> Any:
        kept.append("b")
        return list(value)

    handler = handler_of(seen)
    handler.outside.answers["charge"] = kept
    assert runs_of(handler, journal) == [["a"], ["a"]]


def test_a_result_that_the_handler_changes(handler_of: HandlerOf, journal: TestedJournal) -> None:
    cache = {"lines": ["a"]}
    handler = handler_of(lambda value, error: value["lines"].append("b"))
    handler.outside.answers["charge"] = cache
    runs_of(handler, journal)
    assert cache == {"lines": ["a"]}


def test_what_pickling_drops_is_never_there(handler_of: HandlerOf, journal: TestedJournal) -> None:
    handler = handler_of(lambda value, error: value.connection)
    handler.outside.answers["charge"] = Receipt()
    assert runs_of(handler, journal) == [None, None]


def test_causes_and_tracebacks(handler_of: HandlerOf, journal: TestedJournal) -> None:
    def seen(value: Any, error: Any) -> Any:
        return type(error), type(error.__cause__), traceback.format_exception(error)

    handler = handler_of(seen)
    handler.outside.answers["charge"] = declined_by(ConnectionError("reset"))
    first, second = runs_of(handler, journal)
    assert first == second
    assert first[:2] == (Declined, ConnectionError)
    assert "in declined_by" in "".join(first[2])


def test_what_cannot_be_read_back_fails_the_call_at_once(
    handler_of: HandlerOf, journal: TestedJournal
) -> None:
    handler = handler_of(lambda value, error: (type(error), str(error)))
    handler.outside.answers["charge"] = Unreadable()
    first, second = runs_of(handler, journal)
    assert first == second
    assert first[0] is ResultNotSerializable
    assert [slot.status for slot in journal.slots()] == ["FAILED"]
    assert handler.outside.asked == ["charge"]


@pytest.mark.parametrize(
    "answer", [Receipt(), declined_by(ConnectionError("reset"))], ids=["value", "error"]
)
def test_what_a_reconciler_gives(
    handler_of: HandlerOf, journal: TestedJournal, answer: Any
) -> None:
    def seen(value: Any, error: Any) -> Any:
        return value and value.connection, error and type(error.__cause__)

    handler = handler_of(seen)
    handler.outside.answers["charge"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        handler.run(journal)
    journal.restart()
    handler.outside.answers["look_up"] = answer
    expected = (None, ConnectionError) if isinstance(answer, Exception) else (None, None)
    assert runs_of(handler, journal) == [expected, expected]
    assert handler.outside.asked == ["charge", "look_up"]


@pytest.mark.parametrize("kind", ["batch", "on the loop", "in a thread"])
def test_what_a_batch_gives(executor: CallExecutor, kind: str) -> None:
    outside = Outside()
    outside.answers["charge"] = Receipt()
    outside.answers["refund"] = declined_by(ConnectionError("reset"))
    calls = [DurableCall(outside.charge), DurableCall(outside.refund)]
    journal = SlotsInMemory()

    def context() -> FlinkRunnerContext:
        return FlinkRunnerContext(slot_journal(journal, size=len(journal.slots)), executor)

    async def handle() -> Any:
        if kind == "on the loop":
            return context().durable_execute_all(calls)
        return await context().durable_execute_all_async(calls)

    for _ in range(2):
        if kind == "in a thread":
            receipt, refused = context().durable_execute_all(calls)
        else:
            receipt, refused = asyncio.run(handle())
        assert receipt.value.connection is None
        assert isinstance(refused.error, Declined)
        assert isinstance(refused.error.__cause__, ConnectionError)
    assert sorted(outside.asked) == ["charge", "refund"]


def test_a_call_of_a_def_handler(executor: CallExecutor) -> None:
    outside = Outside()
    outside.answers["charge"] = Receipt()
    outside.answers["refund"] = declined_by(ConnectionError("reset"))
    journal = SlotsInMemory()
    for _ in range(2):
        ctx = FlinkRunnerContext(slot_journal(journal, size=len(journal.slots)), executor)
        assert ctx.durable_execute(outside.charge).connection is None
        with pytest.raises(Declined) as caught:
            ctx.durable_execute(outside.refund)
        assert isinstance(caught.value.__cause__, ConnectionError)
    assert outside.asked == ["charge", "refund"]
