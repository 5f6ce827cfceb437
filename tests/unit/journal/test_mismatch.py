"""A mismatch drops what may simply run again and nothing else, whatever the handler makes of it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any

import pytest
from batch_kit import batch_of, blocking, on_the_loop
from bridges import Slot, SlotsInMemory, TestedJournal, own_slot
from handler_bench import HandlerBench

from pyflink_durable import DurableCall, DurableOptions, JournalMismatch
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.options import OnMismatch
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask

DIGEST = "2:0123456789abcdef"


def ended(name: str = "charge", **fields: Any) -> Slot:
    slot = Slot(name, DIGEST, "SUCCEEDED", dump_result(f"was {name}"), None, 0)
    return slot._replace(**fields)


def pending(name: str = "charge", **fields: Any) -> Slot:
    return Slot(name, DIGEST)._replace(**fields)


MAY_RUN_AGAIN = [
    ended(repeatable=1),
    ended(status="FAILED", repeatable=1),
    pending(due=0),  # it has not started
    pending(due=0, repeatable=1),
    # as release 0.1 left them
    own_slot("TIMER", status="SUCCEEDED", result=dump_result(None), repeatable=0),
    own_slot("MOMENT", repeatable=0),
]
MUST_NOT = [
    (ended(), "SUCCEEDED, and not to be made again"),
    (ended(status="FAILED"), "FAILED, and not to be made again"),
    (pending(), "in doubt"),
    (pending(repeatable=1), "in doubt"),
    (pending(repeatable=1, attempt=3), "in doubt"),
    # the signal is in it
    (
        own_slot("SIGNAL", "yes", status="SUCCEEDED", result=dump_result(None), repeatable=0),
        "SUCCEEDED, and not to be made again",
    ),
]


IN_WORDS = {"TIMER": "timer", "MOMENT": "moment", "SIGNAL": "signal yes", "CALL": "charge"}


async def calls(value: Any, ctx: Any) -> Any:
    return await ctx.durable_execute_async(str, 1, durable_id="refund")  # this line


async def calls_here(value: Any, ctx: Any) -> Any:
    return ctx.durable_execute(str, 1, durable_id="refund")  # this line


def calls_on_a_thread(value: Any, ctx: Any) -> Any:
    return ctx.durable_execute(str, 1, durable_id="refund")  # this line


async def calls_in_a_task(value: Any, ctx: Any) -> Any:
    made = ctx.durable_execute_async(str, 1, durable_id="refund")  # this line
    return await asyncio.create_task(made)


async def calls_together(value: Any, ctx: Any) -> Any:
    made = ctx.durable_execute_async(str, 1, durable_id="refund")  # this line
    return (await asyncio.gather(made))[0]


async def calls_in_a_batch(value: Any, ctx: Any) -> Any:
    batch = [DurableCall(str, (1,), durable_id="refund")]
    return (await ctx.durable_execute_all_async(batch)).values()[0]  # this line


def calls_in_a_batch_on_a_thread(value: Any, ctx: Any) -> Any:
    batch = [DurableCall(str, (1,), durable_id="refund")]
    return ctx.durable_execute_all(batch).values()[0]  # this line


async def swallows(value: Any, ctx: Any) -> Any:
    try:
        await ctx.durable_execute_async(str, 1, durable_id="refund")  # this line
    except Exception:
        return "swallowed"


HANDLERS = [calls, calls_here, calls_on_a_thread, calls_in_a_task, calls_together]
HANDLERS += [calls_in_a_batch, calls_in_a_batch_on_a_thread, swallows]


def bench_of(
    handler: Any, executor: CallExecutor, *slots: Slot, on_mismatch: OnMismatch = "protect"
) -> HandlerBench:
    return HandlerBench(handler, executor, DurableOptions(on_mismatch=on_mismatch), slots)


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("slot", MAY_RUN_AGAIN, ids=str)
def test_what_may_run_again_is_cleared_with_a_warning(
    executor: CallExecutor, handler: Any, slot: Slot, caplog: pytest.LogCaptureFixture
) -> None:
    bench = bench_of(handler, executor, slot)
    with caplog.at_level(logging.WARNING, "pyflink_durable"):
        bench.run()
    assert [one.function_id for one in bench.slots] == ["refund"]
    assert bench.telemetry.counters["mismatched"] == 1
    [record] = caplog.records
    words = IN_WORDS[slot.kind] + (f"({DIGEST})" if slot.kind == "CALL" else "")
    assert f"journaled={words} called=refund(2:" in record.getMessage()


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize(("slot", "reason"), MUST_NOT, ids=str)
def test_what_must_not_get_lost_fails_the_task(
    executor: CallExecutor, handler: Any, slot: Slot, reason: str
) -> None:
    bench = bench_of(handler, executor, slot)
    with pytest.raises(JournalMismatch) as caught:
        bench.run()
    assert bench.slots == [slot]
    assert bench.telemetry.counters["mismatched"] == 1
    error = caught.value
    words = IN_WORDS[slot.kind]
    assert (error.slot, error.expected, error.status) == (0, (words, slot[1]), slot.status)
    assert error.found is not None
    assert error.found[0] == "refund"
    assert error.lost == (f"slot 0, {words}: {reason}",)
    assert error.invocation == "key='k' invocation=3"
    lines, first = inspect.getsourcelines(handler)
    [number] = [n for n, line in enumerate(lines, first) if "# this line" in line]
    assert error.line == f"{__file__}:{number} in {handler.__name__}"


@pytest.mark.parametrize("place", [1, 2])
def test_what_stands_behind_counts(executor: CallExecutor, place: int) -> None:
    slots = [ended(f"call-{n}", repeatable=1) for n in range(3)]
    slots[place] = pending(f"call-{place}")
    bench = bench_of(calls, executor, *slots)
    with pytest.raises(JournalMismatch) as caught:
        bench.run()
    assert caught.value.lost == (f"slot {place}, call-{place}: in doubt",)
    assert bench.slots == slots


def test_all_that_is_lost_is_named_where_it_is_cleared(
    executor: CallExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    bench = bench_of(calls, executor, ended("a"), pending("b"), on_mismatch="clear")
    with caplog.at_level(logging.WARNING, "pyflink_durable"):
        assert bench.run() == "1"
    [record] = caplog.records
    assert "slot 0, a: SUCCEEDED, and not to be made again" in record.getMessage()
    assert "slot 1, b: in doubt" in record.getMessage()


def test_any_mismatch_fails_where_it_is_to(executor: CallExecutor) -> None:
    for slot in MAY_RUN_AGAIN:
        bench = bench_of(calls, executor, slot, on_mismatch="fail")
        with pytest.raises(JournalMismatch):
            bench.run()
        assert bench.slots == [slot]


def test_the_line_of_a_sleep(executor: CallExecutor) -> None:
    async def sleeps(value: Any, ctx: Any) -> None:
        await asyncio.sleep(5)  # this line

    bench = bench_of(sleeps, executor, pending())
    with pytest.raises(JournalMismatch, match=r"test_mismatch\.py:\d+ in sleeps"):
        bench.run()


@pytest.mark.parametrize("way", [batch_of, blocking, on_the_loop])
def test_what_a_batch_writes_again_is_not_lost(executor: CallExecutor, way: Any) -> None:
    def act(name: str) -> str:
        return f"ran {name}"

    kept = ended("kept", args_digest=compute_args_digest(("kept",), {}))
    calls = [DurableCall(act, (name,), durable_id=name) for name in ("new", "kept")]
    gone = ended("gone", repeatable=1)
    bench = bench_of(way(calls), executor, gone, kept)
    assert bench.run().values() == ["ran new", "was kept"]
    bench = bench_of(way(calls), executor, gone, kept, pending("behind"))
    with pytest.raises(JournalMismatch) as caught:
        bench.run()
    assert caught.value.lost == ("slot 2, behind: in doubt",)


# ------------------------------------------------------------------------------ the end


async def does_nothing(value: Any, ctx: Any) -> str:
    return "nothing"


def does_nothing_on_a_thread(value: Any, ctx: Any) -> str:
    return "nothing"


@pytest.mark.one_run("the journal it ends with holds what it has not come to")
@pytest.mark.parametrize("handler", [does_nothing, does_nothing_on_a_thread])
def test_a_handler_that_ends_before_its_calls(executor: CallExecutor, handler: Any) -> None:
    for slot, reason in MUST_NOT:
        bench = bench_of(handler, executor, slot)
        with pytest.raises(JournalMismatch, match="the handler has ended") as caught:
            bench.run()
        assert caught.value.found is None
        assert caught.value.lost == (f"slot 0, {IN_WORDS[slot.kind]}: {reason}",)
        assert bench_of(handler, executor, slot, on_mismatch="clear").run() == "nothing"
    for slot in MAY_RUN_AGAIN:
        bench = bench_of(handler, executor, slot)
        assert bench.run() == "nothing"
        assert bench.telemetry.counters["mismatched"] == 1


# ------------------------------------------------------------------------------ every journal


def test_over_each_kind_of_journal(journal: TestedJournal, executor: CallExecutor) -> None:
    """Over the cursor nothing is known to be repeatable; by slot it is what its options say."""

    def context() -> FlinkRunnerContext:
        return FlinkRunnerContext(journal.access(), subtask=Subtask(executor))

    context().durable_execute(str, 1, durable_id="charge")
    journal.restart()
    if journal.concurrent:
        assert context().durable_execute(str, 1, durable_id="refund") == "1"
        return
    with pytest.raises(JournalMismatch) as caught:
        context().durable_execute(str, 1, durable_id="refund")
    assert caught.value.lost == ("slot 0, charge: SUCCEEDED, and not to be made again",)


@pytest.mark.parametrize(
    ("options", "lost"),
    [({}, False), ({"reconciler": lambda: "found"}, True), ({"in_doubt": "raise"}, True)],
)
def test_a_call_is_what_its_options_say(
    executor: CallExecutor, options: dict[str, Any], lost: bool
) -> None:
    async def charges(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(str, 1, durable_id="charge", **options)

    bench = HandlerBench(charges, executor)
    bench.run()
    [slot] = bench.slots
    again = bench_of(calls, executor, slot)
    if lost:
        with pytest.raises(JournalMismatch):
            again.run()
    else:
        assert again.run() == "1"


def test_it_fails_no_other_invocation(executor: CallExecutor) -> None:
    bench = bench_of(calls, executor, pending())
    with pytest.raises(JournalMismatch):
        bench.run()
    assert bench_of(calls, executor).run() == "1"
    assert SlotsInMemory(bench.slots).slots == [pending()]
