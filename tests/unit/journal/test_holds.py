"""Calls and outcomes that wait until what was written of them is safe."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bridges import Slot, SlotsInMemory
from handler_bench import NUMBER, ByHand, HandlerBench
from loops import PATIENCE, wait_until

from pyflink_durable import (
    CallLogError,
    DurableExecutionError,
    DurableOptions,
    FileCallLog,
    NotInInvocation,
    RetryPolicy,
)
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.holds import Hold, Holds

GATED = DurableOptions(durability="gated", in_doubt="raise")
WRITE_AHEAD = DurableOptions(
    durability="write-ahead", in_doubt="raise", call_log=FileCallLog(directory=Path("/log"))
)
LEVELS = {"gated": (GATED, "CHECKPOINT"), "write-ahead": (WRITE_AHEAD, "LOG")}


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> tuple[DurableOptions, str]:
    return LEVELS[request.param]


def charge(ctx: Any, name: str, **options: Any) -> Any:
    return ctx.durable_execute_async(str, name, durable_id=name, **options)


async def charges(value: Any, ctx: Any) -> Any:
    return await charge(ctx, "charge")


class TestStart:
    def test_a_call_is_written_and_starts_when_it_is_released(
        self, level: tuple[DurableOptions, str]
    ) -> None:
        options, kind = level
        hands = ByHand()
        bench = HandlerBench(charges, hands, options).start()
        assert bench.statuses == ["PENDING"]
        assert bench.journal.held == [(0, kind)]
        assert hands.started == {}
        bench.release(0)
        assert list(hands.started) == ["charge"]

    def test_calls_that_are_awaited_together_wait_together(self) -> None:
        async def handler(value: Any, ctx: Any) -> None:
            await asyncio.gather(*(charge(ctx, name) for name in "abc"))

        hands = ByHand()
        bench = HandlerBench(handler, hands, GATED).start()
        assert [slot for slot, _ in bench.journal.held] == [0, 1, 2]
        for released in (1, 0, 2):
            bench.release(released)
        assert list(hands.started) == ["b", "a", "c"]

    def test_a_call_that_is_cancelled_at_the_gate_never_starts(self) -> None:
        async def handler(value: Any, ctx: Any) -> str:
            call = asyncio.create_task(charge(ctx, "charge"))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            return "given up"

        hands = ByHand()
        bench = HandlerBench(handler, hands, GATED).start()
        bench.release(0)
        assert bench.ended == [FunctionOutcome("given up", None)]
        assert hands.started == {}
        assert bench.statuses == ["SCHEDULED"]

    def test_what_the_log_did_not_take_is_the_calls_error(self) -> None:
        hands = ByHand()
        bench = HandlerBench(charges, hands, WRITE_AHEAD).start()
        bench.release(0, "disk full")
        [outcome] = bench.ended
        assert isinstance(outcome.error, CallLogError)
        assert str(outcome.error) == (
            "slot 0, charge: what was written of the call is not safe: disk full"
        )
        assert hands.started == {}
        assert bench.statuses == ["PENDING"]

    def test_a_further_attempt_waits_as_the_first_one_did(self, executor: CallExecutor) -> None:
        attempts: list[int] = []

        def fails_once() -> str:
            attempts.append(1)
            if len(attempts) == 1:
                raise OSError
            return "charged"

        async def handler(value: Any, ctx: Any) -> Any:
            retry = RetryPolicy(initial_interval=0)
            return await ctx.durable_execute_async(fails_once, retry=retry)

        bench = HandlerBench(handler, executor, GATED).start()
        bench.release(0)
        bench.operator.drain_until(lambda: len(bench.journal.held) == 2)
        assert bench.slots[0].attempt == 2
        assert len(attempts) == 1
        bench.release(0)
        assert bench.result() == "charged"

    def test_a_scheduled_call_that_is_due_waits_too(self) -> None:
        hands = ByHand()
        slots = [Slot("charge", compute_args_digest(("charge",), {}), attempt=2, due=1)]
        bench = HandlerBench(charges, hands, GATED, slots).start()
        bench.operator.loop.drain()
        assert bench.statuses == ["PENDING"]
        assert bench.journal.held == [(0, "CHECKPOINT")]
        assert hands.started == {}

    def test_a_call_in_doubt_that_is_to_run_does_not_wait(self) -> None:
        # the checkpoint that was restored holds it in doubt already
        async def handler(value: Any, ctx: Any) -> Any:
            return await charge(ctx, "charge", durability="gated", in_doubt="execute")

        hands = ByHand()
        slots = [Slot("charge", compute_args_digest(("charge",), {}))]
        bench = HandlerBench(handler, hands, GATED, slots).start()
        assert list(hands.started) == ["charge"]
        assert bench.journal.held == []
        assert bench.slots[0].attempt == 2


class TestSyncCalls:
    def test_refused_where_they_would_hold_the_loop(
        self, level: tuple[DurableOptions, str], executor: CallExecutor
    ) -> None:
        async def handler(value: Any, ctx: Any) -> None:
            ctx.durable_execute(str, 1)

        bench = HandlerBench(handler, executor, level[0])
        with pytest.raises(
            DurableExecutionError, match=r"str waits .*`await ctx\.durable_execute_async\(\.\.\.\)`"
        ):
            bench.run()
        assert bench.slots == []

    def test_one_that_may_run_again_is_not_refused(self, executor: CallExecutor) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return ctx.durable_execute(str, 1, in_doubt="execute")

        bench = HandlerBench(handler, executor, GATED)
        assert bench.run() == "1"
        assert bench.journal.held == []

    def test_the_thread_of_a_def_handler_waits(
        self, level: tuple[DurableOptions, str], executor: CallExecutor
    ) -> None:
        started: list[int] = []

        def handler(value: Any, ctx: Any) -> Any:
            return ctx.durable_execute(started.append, 1)

        options, kind = level
        bench = HandlerBench(handler, executor, options).start()
        wait_until(lambda: bench.journal.held == [(0, kind)])
        assert started == []
        bench.release(0)
        if kind == "LOG":  # the outcome waits, too
            wait_until(lambda: len(bench.journal.held) == 2)
            assert bench.statuses == ["SUCCEEDED"]
            assert bench.ended == []
            bench.release(0)
        assert bench.result() is None
        assert started == [1]

    def test_a_thread_at_the_gate_ends_with_its_task(self, executor: CallExecutor) -> None:
        seen: list[Any] = []

        def handler(value: Any, ctx: Any) -> Any:
            try:
                ctx.durable_execute(seen.append, "charged")
            except Exception as error:
                seen.append(type(error))

        bench = HandlerBench(handler, executor, GATED).start()
        wait_until(lambda: len(bench.journal.held) == 1)
        executor.end_waits()
        assert bench.runner.close(time.monotonic() + PATIENCE) == []
        assert seen == [NotInInvocation]
        bench.release(0)
        assert seen == [NotInInvocation]


class TestOutcomes:
    def test_an_outcome_is_written_and_seen_when_it_is_released(self) -> None:
        hands = ByHand()
        bench = HandlerBench(charges, hands, WRITE_AHEAD).start()
        bench.release(0)
        hands.started["charge"]("charged")
        bench.operator.loop.drain()
        assert bench.statuses == ["SUCCEEDED"]
        assert bench.ended == []
        bench.release(0)
        assert bench.ended == [FunctionOutcome("charged", None)]

    def test_one_that_the_log_did_not_take_is_an_error(self) -> None:
        hands = ByHand()
        bench = HandlerBench(charges, hands, WRITE_AHEAD).start()
        bench.release(0)
        hands.started["charge"]("charged")
        bench.operator.loop.drain()
        bench.release(0, "broker gone")
        [outcome] = bench.ended
        assert isinstance(outcome.error, CallLogError)
        assert "broker gone" in str(outcome.error)

    @pytest.mark.parametrize("order", ["abc", "cab", "bca"])
    def test_they_are_seen_in_the_order_of_the_journal_now_and_on_replay(self, order: str) -> None:
        seen: list[str] = []

        async def handler(value: Any, ctx: Any) -> None:
            async def one(name: str) -> None:
                seen.append(await charge(ctx, name))
                await asyncio.sleep(0)
                seen.append(f"after {name}")

            await asyncio.gather(*(one(name) for name in "abc"))

        hands = ByHand()
        bench = HandlerBench(handler, hands, WRITE_AHEAD).start()
        for slot in range(3):
            bench.release(slot)
        for name in order:
            hands.started[name](name)
        bench.operator.loop.drain()
        assert seen == []
        for name in order:  # the log's own order
            bench.release("abc".index(name))
        expected = [text for name in order for text in (name, f"after {name}")]
        assert seen == expected
        seen.clear()
        bench.again().start()
        assert seen == expected

    def test_a_weaker_call_has_its_outcome_held_all_the_same(self) -> None:
        # or it would be seen before those that are journaled before it
        async def handler(value: Any, ctx: Any) -> Any:
            return await charge(ctx, "charge", in_doubt="execute")

        hands = ByHand()
        bench = HandlerBench(handler, hands, WRITE_AHEAD).start()
        hands.started["charge"]("charged")
        bench.operator.loop.drain()
        assert bench.journal.held == [(0, "LOG")]
        assert bench.ended == []


class TestHold:
    def test_a_release_before_anybody_waits_is_not_lost(self) -> None:
        hold, seen = Hold(), list[Any]()
        hold.release("why")
        hold.on_release(seen.append)
        assert seen == ["why"]

    def test_it_is_over_once(self) -> None:
        hold, seen = Hold(), list[Any]()
        hold.on_release(seen.append)
        hold.release()
        hold.release()
        assert seen == [None]

    def test_a_worker_and_the_task_thread_meet_once_whoever_is_first(self) -> None:
        for _ in range(300):
            hold, seen = Hold(), list[Any]()
            both = threading.Barrier(2)

            def wait(hold: Hold, seen: list[Any], both: threading.Barrier) -> None:
                both.wait()
                hold.on_release(seen.append)

            worker = threading.Thread(target=wait, args=(hold, seen, both))
            worker.start()
            both.wait()
            hold.release()
            worker.join()
            assert seen == [None]

    def test_a_release_within_the_write_finds_the_hold(self) -> None:
        # the task thread may be quicker than the worker that has just written
        def released_at_once(bench: HandlerBench) -> Callable[..., None]:
            write = SlotsInMemory.appendPendingCallAt

            def append(*fields: Any) -> None:
                write(bench.journal, *fields)
                bench.holds.release(NUMBER, fields[0], None)

            return append

        hands = ByHand()
        bench = HandlerBench(charges, hands, GATED)
        bench.journal.appendPendingCallAt = released_at_once(bench)  # type: ignore[method-assign]
        bench.start()
        assert list(hands.started) == ["charge"]

    def test_what_has_ended_is_forgotten(self) -> None:
        holds, seen = Holds(), list[Any]()
        holds.expect(1, 0).on_release(seen.append)
        holds.expect(2, 0).on_release(seen.append)
        holds.forget(1, slots=1)
        holds.forget(3, slots=1)
        for invocation in (1, 2, 3):
            holds.release(invocation, 0, None)
        assert seen == [None]
