"""Calls over slots on the handlers' loop: what is written, and in which order they replay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from bridges import (
    ATTEMPT_METHODS,
    SLOT_METHODS,
    OneInvocation,
    Recording,
    Slot,
    SlotsInMemory,
    slot_journal,
)
from loops import Operator
from outside import Outside

from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.execution import Execution, Report
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.access import SlotJournal
from pyflink_durable.runtime.journal.writes import WRITE_FIELDS, JournalWrites
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

NO_ARGUMENTS = compute_args_digest((), {})


def ended(name: str, completion: int) -> Slot:
    return Slot(name, NO_ARGUMENTS, "SUCCEEDED", dump_result(name), None, completion)


def never(*args: Any) -> None:
    raise AssertionError("a journaled call ran again")


class ByHand:
    """An executor whose calls end when the test says so."""

    def __init__(self) -> None:
        self.end: dict[Any, Callable[[], object]] = {}

    def submit(self, execution: Execution, report: Report) -> None:
        execution.report_to(report)
        assert execution.begin()
        self.end[execution.args or execution.func] = lambda: execution.report(execution.run())


class Bench:
    def __init__(self, *slots: Slot, executor: Any = None) -> None:
        self.operator = Operator()
        self.journal = SlotsInMemory(slots)
        self.bridge = Recording(self.journal, (*SLOT_METHODS.values(), *ATTEMPT_METHODS))
        self.ctx = FlinkRunnerContext(slot_journal(self.bridge, size=len(slots)), executor)


def test_a_synchronous_call_is_written_once_when_it_has_ended() -> None:
    # nobody can take a snapshot between its start and its end
    bench, outside = Bench(), Outside()

    async def handler() -> Any:
        return bench.ctx.durable_execute(outside.charge, 1, reconciler=outside.look_up)

    assert bench.operator.start(handler()).result() == "charged"
    assert bench.bridge.operations == ["recordCallCompletionAt"]
    assert outside.asked == ["charge"]
    again = Bench(*bench.journal.slots)
    bench.ctx = again.ctx
    assert again.operator.start(handler()).result() == "charged"
    assert again.bridge.operations == ["getCallResultFieldsAt"]
    assert outside.asked == ["charge"]


def test_a_synchronous_call_found_pending_is_reconciled() -> None:
    bench, outside = Bench(Slot("charge", NO_ARGUMENTS)), Outside()

    async def handler() -> Any:
        return bench.ctx.durable_execute(
            outside.charge, reconciler=outside.look_up, durable_id="charge"
        )

    assert bench.operator.start(handler()).result() == "looked up"
    assert bench.bridge.operations == ["getCallResultFieldsAt", "finalizeCallAt"]
    assert outside.asked == ["look_up"]


def test_concurrent_calls_replay_in_their_first_order_with_quiescence_between() -> None:
    bench = Bench(ended("a", 2), ended("b", 0), ended("c", 1))
    seen: list[str] = []

    async def task(name: str) -> None:
        assert await bench.ctx.durable_execute_async(never, durable_id=name) == name
        for step in range(3):
            seen.append(f"{name}{step}")
            await asyncio.sleep(0)

    async def handler() -> None:
        await asyncio.gather(task("a"), task("b"), task("c"))

    assert bench.operator.start(handler()).done()
    assert seen == ["b0", "b1", "b2", "c0", "c1", "c2", "a0", "a1", "a2"]
    assert bench.operator.wakes == 0


def test_calls_that_are_still_to_run_end_after_those_that_replay() -> None:
    executor = ByHand()
    bench = Bench(Slot("pending", NO_ARGUMENTS), ended("late", 7), executor=executor)
    seen: list[str] = []

    async def task(name: str) -> None:
        await bench.ctx.durable_execute_async(lambda: None, durable_id=name)
        seen.append(name)

    async def handler() -> None:
        await asyncio.gather(task("pending"), task("late"))

    handle = bench.operator.start(handler())
    assert seen == ["late"]
    [end] = executor.end.values()
    end()
    bench.operator.drain_until(handle.done)
    assert seen == ["late", "pending"]
    assert [slot.completion for slot in bench.journal.slots] == [8, 7]


@pytest.mark.parametrize("winner", ["a", "b"])
def test_a_race_takes_the_same_branch_again(winner: str) -> None:
    async def handler(ctx: FlinkRunnerContext) -> Any:
        racers = {
            name: asyncio.create_task(
                ctx.durable_execute_async(str, name)  # type: ignore[arg-type]
            )
            for name in ("a", "b")
        }
        done, _ = await asyncio.wait(racers.values(), return_when=asyncio.FIRST_COMPLETED)
        first = next(iter(done)).result()
        after = await ctx.durable_execute_async(str, f"after {first}")
        return after, [await racer for racer in racers.values()]

    executor = ByHand()
    bench = Bench(executor=executor)
    handle = bench.operator.start(handler(bench.ctx))
    loser = "a" if winner == "b" else "b"
    for name in (winner, f"after {winner}", loser):
        executor.end[(name,)]()
        bench.operator.loop.drain()
    expected = (f"after {winner}", ["a", "b"])
    assert handle.result() == expected
    again = Bench(*bench.journal.slots)
    assert again.operator.start(handler(again.ctx)).result() == expected


def test_equal_siblings_have_slots_of_their_own(executor: CallExecutor) -> None:
    bench = Bench(executor=executor)
    answers = iter(range(5))

    def next_answer() -> int:
        return next(answers)

    async def handler(ctx: FlinkRunnerContext) -> list[int]:
        return await asyncio.gather(*(ctx.durable_execute_async(next_answer) for _ in range(5)))

    first = bench.operator.run(handler(bench.ctx))
    assert sorted(first) == list(range(5))
    again = Bench(*bench.journal.slots)
    assert again.operator.start(handler(again.ctx)).result() == first


def test_each_completion_is_journaled_when_it_comes_not_with_the_last() -> None:
    executor = ByHand()
    bench = Bench(executor=executor)

    async def handler() -> None:
        await asyncio.gather(*(bench.ctx.durable_execute_async(str, n) for n in range(10)))

    handle = bench.operator.start(handler())
    for number in range(9):
        executor.end[(number,)]()
        bench.operator.loop.drain()
    statuses = [slot.status for slot in bench.journal.slots]
    assert statuses == ["SUCCEEDED"] * 9 + ["PENDING"]
    assert not handle.done()
    handle.cancel()
    bench.operator.loop.run_until_idle()
    assert [slot.status for slot in bench.journal.slots] == statuses


def test_what_a_mismatch_dropped_in_this_step_answers_no_later_call() -> None:
    ended_before = [ended(name, n)._replace(repeatable=1) for n, name in enumerate("abc")]
    stale, writes = OneInvocation(SlotsInMemory(ended_before)), JournalWrites()
    # the step's writes come later
    ctx = FlinkRunnerContext(SlotJournal(stale, 7, size=3, write=writes.add))

    async def handler() -> list[str]:
        def call(name: str) -> str:
            return f"new {name}"

        return [ctx.durable_execute(partial(call, name), durable_id=name) for name in "xbc"]

    assert Operator().start(handler()).result() == ["new x", "new b", "new c"]
    executed, flat = writes.take()
    assert executed == 3
    assert flat[4::WRITE_FIELDS] == ("CLEARED", "RECORDED", "RECORDED", "RECORDED")
