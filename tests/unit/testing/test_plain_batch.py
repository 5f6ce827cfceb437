"""A batch without a journal: input order, limits, timeouts; no failure hides another."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from pyflink_durable import LocalRunnerContext, current_call
from pyflink_durable.batch import CallStatus, DurableCall, Outcomes
from pyflink_durable.errors import CallNotStarted, OutcomeUnknown

FOREVER = 3600.0


def double(number: int) -> int:
    return number * 2


def refuse(reason: str) -> None:
    raise ValueError(reason)


class Crowd:
    """Coroutine functions that note how many of them run at a time."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.cancelled = 0

    async def visit(self, turns: int = 5) -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            self.running -= 1
        return "seen"

    async def stay(self) -> None:
        self.running += 1
        try:
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def together(*batch: Any, **limits: Any) -> Coroutine[Any, Any, Outcomes]:
    outcomes: Any = LocalRunnerContext().durable_execute_all_async(*batch, **limits)
    return outcomes  # type: ignore[no-any-return]


def one_by_one(*batch: Any, **limits: Any) -> Outcomes:
    return LocalRunnerContext().durable_execute_all(*batch, **limits)


def statuses(outcomes: Any) -> list[str]:
    return [outcome.status.value for outcome in outcomes]


def test_outcomes_come_in_input_order_whatever_fails() -> None:
    async def triple(number: int, *, plus: int = 0) -> int:
        return number * 3 + plus

    async def fail() -> None:
        raise LookupError("gone")

    calls = [
        DurableCall(triple, (1,), {"plus": 1}),
        DurableCall(refuse, ("declined",)),
        DurableCall(double, (2,)),
        DurableCall(fail),
        DurableCall(lambda: triple(3)),
    ]
    outcomes = asyncio.run(together(calls))
    assert [outcome.value for outcome in outcomes] == [4, None, 4, None, 9]
    assert statuses(outcomes) == ["SUCCEEDED", "FAILED", "SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert [type(outcome.error) for outcome in outcomes if outcome.error] == [
        ValueError,
        LookupError,
    ]
    assert all(outcome.attempt == 1 and outcome.duration >= 0 for outcome in outcomes)


@pytest.mark.parametrize(("limit", "most"), [(None, 20), (1, 1), (7, 7), (50, 20)])
def test_the_limit_holds_exactly(limit: int | None, most: int) -> None:
    crowd = Crowd()
    outcomes = asyncio.run(together([DurableCall(crowd.visit)] * 20, limit))
    assert outcomes.values() == ["seen"] * 20
    assert crowd.most == most


def test_a_call_that_takes_too_long_is_cancelled_and_the_others_are_not() -> None:
    crowd = Crowd()
    calls = [DurableCall(crowd.stay, timeout=0.01), DurableCall(double, (1,), timeout=FOREVER)]
    outcomes = asyncio.run(together(calls))
    assert statuses(outcomes) == ["TIMED_OUT", "SUCCEEDED"]
    assert crowd.cancelled == 1
    with pytest.raises(OutcomeUnknown) as unknown:  # as in a job
        outcomes[0].unwrap()
    assert (unknown.value.reason, unknown.value.attempt) == ("timeout", 1)


def test_a_single_call_has_its_timeout_too() -> None:
    crowd = Crowd()

    async def handle(ctx: LocalRunnerContext) -> Any:
        assert await ctx.durable_execute_async(crowd.visit, timeout=FOREVER) == "seen"
        return await ctx.durable_execute_async(crowd.stay, timeout=0.01, durable_id="stay")

    with pytest.raises(OutcomeUnknown) as unknown:
        asyncio.run(handle(LocalRunnerContext()))
    assert (unknown.value.function_id, unknown.value.reason) == ("stay", "timeout")
    assert crowd.cancelled == 1


def test_a_timeout_that_the_function_raises_itself_is_a_failure() -> None:
    async def give_up() -> None:
        raise asyncio.TimeoutError("no answer")

    outcomes = asyncio.run(together([DurableCall(give_up, timeout=FOREVER)]))
    assert statuses(outcomes) == ["FAILED"]


def test_at_the_end_of_the_time_some_run_and_some_have_not_started() -> None:
    crowd = Crowd()
    calls = [DurableCall(double, (1,)), *[DurableCall(crowd.stay)] * 2, DurableCall(double, (2,))]
    outcomes = asyncio.run(together(calls, 2, timeout=0.05))
    assert statuses(outcomes) == ["SUCCEEDED", "TIMED_OUT", "TIMED_OUT", "NOT_STARTED"]
    assert isinstance(outcomes[3].error, CallNotStarted)
    assert (outcomes[3].attempt, outcomes[3].duration) == (0, 0.0)


def test_who_gives_up_the_batch_gives_up_its_calls() -> None:
    crowd = Crowd()

    async def give_up() -> None:
        batch = asyncio.create_task(together([DurableCall(crowd.stay)] * 3))
        while crowd.running < 3:
            await asyncio.sleep(0)
        batch.cancel()
        await asyncio.gather(batch, return_exceptions=True)
        await asyncio.sleep(0)

    asyncio.run(give_up())
    assert crowd.cancelled == 3


def test_an_empty_batch() -> None:
    assert asyncio.run(together([])) == []
    assert one_by_one([]) == []


def test_a_batch_is_checked_before_anything_runs() -> None:
    ran: list[int] = []
    calls = [DurableCall(ran.append, (1,), durable_id="a")] * 2
    with pytest.raises(ValueError, match="durable_id 'a'"):
        asyncio.run(together(calls))
    with pytest.raises(ValueError, match="durable_id 'a'"):
        one_by_one(calls)
    assert ran == []


def test_ordinary_functions_one_after_another() -> None:
    async def asynchronous() -> None: ...

    calls = [DurableCall(double, (1,)), DurableCall(refuse, ("no",)), DurableCall(asynchronous)]
    outcomes = one_by_one(calls)
    assert statuses(outcomes) == ["SUCCEEDED", "FAILED", "FAILED"]
    assert "durable_execute_all_async" in str(outcomes[2].error)


def test_functions_behind_the_end_of_the_time_do_not_start() -> None:
    import time

    calls = [DurableCall(time.sleep, (0.02,)), DurableCall(double, (1,))]
    outcomes = one_by_one(calls, timeout=0.01)
    assert [outcome.status for outcome in outcomes] == [
        CallStatus.SUCCEEDED,
        CallStatus.NOT_STARTED,
    ]


def test_each_call_knows_itself() -> None:
    def who() -> tuple[Any, ...]:
        call = current_call()
        return call.slot, call.durable_id, call.attempt, call.idempotency_key

    async def who_async() -> tuple[Any, ...]:
        return who()

    context = LocalRunnerContext(key="k")
    calls = [DurableCall(who_async), DurableCall(who, durable_id="b")]
    answers = asyncio.run(context.durable_execute_all_async(calls)).values()
    answers += context.durable_execute_all([DurableCall(who)]).values()
    assert [answer[:3] for answer in answers] == [(0, None, 1), (1, "b", 1), (2, None, 1)]
    assert len({answer[3] for answer in answers}) == 3
