"""The handler's clock is the journal's: each run reads the same times, and takes the same path."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest
from bridges import Slot, own_slot
from handler_bench import ByHand, HandlerBench
from loops import Clock, Operator
from virtual_time import History, stop_the_clock

from pyflink_durable import DurableCall
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result

SINCE_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
TIMED_OUT = (TimeoutError, asyncio.TimeoutError)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stop_the_clock(monkeypatch)


def charge(seconds: float, answer: str) -> str:
    """The executor has it take so long."""
    return answer


def now() -> float:
    return asyncio.get_running_loop().time()


# -------------------------------------------------------------------- handlers that decide by time


class Deciding:
    """Handlers whose path depends on the clock."""

    def __init__(self) -> None:
        self.history: History

    async def call(self, ctx: Any, seconds: float, answer: str) -> Any:
        """Makes a call, and notes what came of it and when."""
        result = await ctx.durable_execute_async(charge, seconds, answer)
        self.history.note((now(), result))
        return result

    async def in_time(self, ctx: Any, deadline: float, seconds: float, answer: str) -> Any:
        """One attempt that is given up at a deadline."""
        try:
            return await asyncio.wait_for(self.call(ctx, seconds, answer), deadline - now())
        except TIMED_OUT:
            self.history.note((now(), f"gave up {answer}"))
            return None

    async def two_attempts_until_a_deadline(self, value: Any, ctx: Any) -> None:
        deadline = now() + 10
        for attempt in ("first", "second"):
            if await self.in_time(ctx, deadline, 12, attempt):
                return
        await self.call(ctx, 1, "after both")

    async def a_budget(self, value: Any, ctx: Any) -> None:
        end = now() + 10
        for number in range(9):
            left = end - now()
            if left < 3:
                break
            await ctx.durable_execute_async(charge, 2, f"call {number} with {left}")
        await self.call(ctx, 1, f"{end - now()} left")

    async def a_rate_limiter(self, value: Any, ctx: Any) -> None:
        level, last = 0.0, now()
        for number in range(6):
            level, last = max(0.0, level - (now() - last)), now()
            if level > 2:
                await asyncio.sleep(level - 2)
            level += 1.5
            await self.call(ctx, 0.25 * (number % 3), f"call {number}")

    async def polls_until_a_deadline(self, value: Any, ctx: Any) -> None:
        end = now() + 2
        while now() < end:
            if await self.call(ctx, 0.4, f"poll {now()}") == "never":
                return
            await asyncio.sleep(0.1)

    async def reads_it_everywhere(self, value: Any, ctx: Any) -> None:
        note = self.history.note
        note(now())
        ctx.durable_execute(self.takes_long, 5)
        note(now())
        note(ctx.now().timestamp() == now())

        async def branch(seconds: float) -> None:
            note(now())
            await self.call(ctx, seconds, f"after {now()}")
            await asyncio.sleep(seconds)
            note(now())

        await asyncio.gather(branch(0.2), branch(0.1), branch(0.15))
        await ctx.durable_execute_all_async(
            [DurableCall(charge, (number, "batch")) for number in (3, 1, 2)], timeout=2.5
        )
        note(now())

    def takes_long(self, seconds: float) -> None:
        self.history.clock.now += seconds

    async def enters_a_timeout_late(self, value: Any, ctx: Any) -> None:
        timeout = asyncio.timeout(5)
        await self.call(ctx, 6, "before")
        try:
            async with timeout:
                await self.call(ctx, 1, "inside")
        except TimeoutError:
            self.history.note("late")
        await self.call(ctx, 1, "after")

    async def moves_a_deadline(self, value: Any, ctx: Any) -> None:
        try:
            async with asyncio.timeout(5) as timeout:
                await self.call(ctx, 4, "first")
                timeout.reschedule(now() + 5)
                await self.call(ctx, 4, "second")
                timeout.reschedule(now())
                await self.call(ctx, 4, "third")
        except TimeoutError:
            self.history.note((now(), timeout.when()))

    async def two_attempts_under_timeout_at(self, value: Any, ctx: Any) -> None:
        deadline = now() + 10
        for attempt in ("first", "second"):
            try:
                async with asyncio.timeout_at(deadline):
                    await self.call(ctx, 12, attempt)
            except TimeoutError:
                self.history.note((now(), f"gave up {attempt}"))
        await self.call(ctx, 1, "after both")


PLAIN = [
    Deciding.two_attempts_until_a_deadline,
    Deciding.a_budget,
    Deciding.a_rate_limiter,
    Deciding.polls_until_a_deadline,
    Deciding.reads_it_everywhere,
]
NEWER = [
    Deciding.enters_a_timeout_late,
    Deciding.moves_a_deadline,
    Deciding.two_attempts_under_timeout_at,
]


def history_of(clock: Clock, handler: Callable[..., Any]) -> History:
    deciding = Deciding()
    deciding.history = History(clock, handler.__get__(deciding))
    return deciding.history


@pytest.mark.parametrize(
    "handler",
    [*PLAIN, *(pytest.param(handler, marks=SINCE_311) for handler in NEWER)],
    ids=lambda handler: handler.__name__,
)
def test_a_replay_reads_the_same_times_and_takes_the_same_path(
    clock: Clock, handler: Callable[..., Any]
) -> None:
    history_of(clock, handler).check_replays()


def test_the_second_attempt_of_a_deadline_that_has_passed_gets_no_time(clock: Clock) -> None:
    history = history_of(clock, Deciding.two_attempts_until_a_deadline)
    history.run()
    began = clock.offset + 1_000
    assert [what for _, what in history.seen] == ["gave up first", "gave up second", "after both"]
    assert all(at >= began + 10 for at, _ in history.seen)
    assert history.seen[0][0] == history.seen[1][0]


# -------------------------------------------------------------------- when it moves


def test_it_stands_while_the_handlers_own_code_runs(clock: Clock) -> None:
    seen: list[float] = []

    async def handler(value: Any, ctx: Any) -> None:
        seen.append(now())
        clock.now += 30
        await asyncio.sleep(0)
        seen.append(now())
        ctx.durable_execute(int)
        seen.append(now())

    HandlerBench(handler, ByHand()).start()
    assert [at - seen[0] for at in seen] == [0, 0, 30]


def test_a_timer_takes_its_seconds_from_when_it_is_asked_for(clock: Clock) -> None:
    """The clock of a handler that goes on after an hour stands an hour behind."""

    async def handler(value: Any, ctx: Any) -> None:
        await ctx.durable_execute_async(charge, 1, "first")
        try:
            await asyncio.wait_for(ctx.durable_execute_async(charge, 3, "second"), 5)
        except TIMED_OUT:
            history.note("timed out")

    history = History(clock, handler)
    bench = HandlerBench(handler, history).start()
    history._go_on(bench)
    kept = tuple(slot for slot in bench.journal.slots if slot.status != "PENDING")
    clock.now += 3_600
    history.run(kept[:1])
    assert history.ran == ["second"]
    assert history.seen == []


def test_it_does_not_go_back_with_the_clock_of_the_machine(clock: Clock) -> None:
    seen: list[float] = []

    async def handler(value: Any, ctx: Any) -> None:
        seen.append(now())
        clock.now -= 500
        ctx.durable_execute(int)
        seen.append(now())
        seen.append(ctx.now().timestamp())
        clock.now += 501
        ctx.durable_execute(int)
        seen.append(now())

    HandlerBench(handler, ByHand()).start()
    assert [at - seen[0] for at in seen] == [0, 0, 0, 1]


def test_it_starts_where_the_first_run_began_also_in_arguments(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        await ctx.durable_execute_async(str, now() + 10)

    hands = ByHand()
    bench = HandlerBench(handler, hands).start()
    clock.now += 3_600
    again = bench.again().start()  # the call is in doubt, and runs again
    assert again.telemetry.counters["mismatched"] == 0
    assert list(hands.started) == [clock.offset + 1_010]


def test_each_slot_says_when_it_ended_and_the_first_when_it_all_began(clock: Clock) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        clock.now += 1
        ctx.durable_execute(int)
        clock.now += 2
        ctx.now()
        await asyncio.sleep(5)

    bench = HandlerBench(handler, ByHand()).start()
    clock.now += 5.5
    bench.operator.loop.drain()
    began = int((clock.offset + 1_000) * 1_000_000)
    assert [slot.began for slot in bench.journal.slots] == [began, None, None]
    ended = [slot.ended_at - began for slot in bench.journal.slots if slot.ended_at is not None]
    assert ended == [1_000_000, 3_000_000, 8_500_000]


# -------------------------------------------------------------------- where the journal has no time


def test_a_journal_of_release_0_1_has_no_times_and_timers_reach_their_deadline(
    clock: Clock,
) -> None:
    async def handler(value: Any, ctx: Any) -> list[float]:
        began = now()
        await ctx.durable_execute_async(str, "first")
        after_call = now()
        await asyncio.sleep(5)
        return [after_call - began, now() - began]

    call = Slot("builtins.str", compute_args_digest(("first",), {}), "SUCCEEDED")
    timer = own_slot("TIMER", status="SUCCEEDED", repeatable=0)
    slots = [
        slot._replace(result=dump_result(None), completion=completion)
        for completion, slot in enumerate((call, timer))
    ]
    assert HandlerBench(handler, ByHand(), slots=slots).run() == [0, 5]


def test_outside_of_invocations_it_is_that_of_the_process(clock: Clock) -> None:
    operator = Operator()
    before = operator.loop.time()
    clock.now += 30
    assert operator.loop.time() - before == 30
    assert before == clock.offset + 1_000


def test_timers_of_the_clean_up_after_the_end_take_their_time(clock: Clock) -> None:
    seen: list[str] = []

    async def handler(value: Any, ctx: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            clock.now += 100
            await asyncio.sleep(5)
            seen.append("slept")

    bench = HandlerBench(handler, ByHand()).start()
    bench.runner.close(float("inf"))
    assert seen == []
    clock.now += 5.1
    bench.operator.loop.drain()
    assert seen == ["slept"]


def test_timers_that_are_overdue_fire_in_the_order_of_their_deadlines(clock: Clock) -> None:
    seen: list[int] = []

    async def handler(value: Any, ctx: Any) -> None:
        async def sleep(seconds: int) -> None:
            await asyncio.sleep(seconds)
            seen.append(seconds)

        await asyncio.gather(sleep(7), sleep(5), sleep(6))

    bench = HandlerBench(handler, ByHand()).start()
    clock.now += 3_600
    again = bench.again().start()
    assert len(again.ended) == 1
    assert seen == [5, 6, 7]
