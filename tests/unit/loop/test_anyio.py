"""anyio on the handlers' loop: groups, cancel scopes and what tasks share, in each run alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from loops import Clock
from virtual_time import History, stop_the_clock

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


def charge(seconds: float, answer: str) -> str:
    """The executor has it take so long."""
    return answer


class Shop:
    """Handlers that use anyio."""

    history: History

    async def call(self, ctx: Any, seconds: float, answer: str) -> str:
        """Makes a call, and notes what came of it and when."""
        result: str = await ctx.durable_execute_async(charge, seconds, answer)
        self.history.note((anyio.current_time(), result))
        return result

    async def a_task_group(self, value: Any, ctx: Any) -> None:
        async with anyio.create_task_group() as group:
            for seconds in (0.3, 0.1, 0.2):
                group.start_soon(self.call, ctx, seconds, f"after {seconds}")
        await self.call(ctx, 0.1, "after all")

    async def a_task_that_says_when_it_has_started(self, value: Any, ctx: Any) -> None:
        async def worker(*, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
            task_status.started(await self.call(ctx, 0.2, "ready"))
            await self.call(ctx, 0.3, "worked")

        async with anyio.create_task_group() as group:
            self.history.note(await group.start(worker))
            await self.call(ctx, 0.1, "meanwhile")

    async def a_member_fails(self, value: Any, ctx: Any) -> None:
        async def fails() -> None:
            await self.call(ctx, 0.2, "then it fails")
            raise ValueError("failed")

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(fails)
                for number in range(5):
                    group.start_soon(self.call, ctx, 9, f"cancelled {number}")
        except BaseExceptionGroup as errors:
            self.history.note([repr(error) for error in errors.exceptions])
        await self.call(ctx, 0.1, "after")

    async def moves_on_after_a_while(self, value: Any, ctx: Any) -> None:
        for seconds in (0.1, 1.0):
            with anyio.move_on_after(0.5) as scope:
                await self.call(ctx, seconds, f"takes {seconds}")
            self.history.note((anyio.current_time(), scope.cancelled_caught, scope.deadline))

    async def two_attempts_until_a_deadline(self, value: Any, ctx: Any) -> None:
        deadline = anyio.current_time() + 1
        for attempt in ("first", "second"):
            try:
                with anyio.fail_after(deadline - anyio.current_time()):
                    await self.call(ctx, 2, attempt)
            except TimeoutError:
                self.history.note((anyio.current_time(), f"gave up {attempt}"))
        await self.call(ctx, 0.1, "after both")

    async def a_deadline_that_moves(self, value: Any, ctx: Any) -> None:
        with anyio.move_on_after(1) as scope:
            for number in range(9):
                await self.call(ctx, 0.7, f"call {number}")
                if number < 2:
                    scope.deadline += 0.5
        self.history.note((anyio.current_time(), scope.cancelled_caught))

    async def cleans_up_under_a_shield(self, value: Any, ctx: Any) -> None:
        async def worker(name: str) -> None:
            try:
                await self.call(ctx, 9, name)
            finally:
                with anyio.CancelScope(shield=True):
                    await self.call(ctx, 0.2, f"clean up {name}")

        async with anyio.create_task_group() as group:
            group.start_soon(worker, "slow")
            await self.call(ctx, 0.1, "quick")
            group.cancel_scope.cancel()
        await self.call(ctx, 0.1, "after")

    async def tasks_share_things(self, value: Any, ctx: Any) -> None:
        send, receive = anyio.create_memory_object_stream[str](1)
        event, lock, limiter = anyio.Event(), anyio.Lock(), anyio.CapacityLimiter(2)

        async def produce() -> None:
            async with send:
                for number in range(4):
                    await send.send(await self.call(ctx, 0.1, f"item {number}"))
            event.set()

        async def consume() -> None:
            async with receive:
                async for item in receive:
                    async with lock:
                        await self.call(ctx, 0.2, f"took {item}")

        async def limited(number: int) -> None:
            await event.wait()
            async with limiter:
                await self.call(ctx, 0.1, f"limited {number}")

        async with anyio.create_task_group() as group:
            for task in (produce, consume):
                group.start_soon(task)
            for number in range(4):
                group.start_soon(limited, number)
        await anyio.sleep(0.5)
        await self.call(ctx, 0.1, "after")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stop_the_clock(monkeypatch)


def history_of(clock: Clock, handler: Callable[..., Any]) -> History:
    shop = Shop()
    shop.history = History(clock, handler.__get__(shop))
    return shop.history


HANDLERS = [
    Shop.a_task_group,
    Shop.a_task_that_says_when_it_has_started,
    Shop.a_member_fails,
    Shop.moves_on_after_a_while,
    Shop.two_attempts_until_a_deadline,
    Shop.a_deadline_that_moves,
    Shop.cleans_up_under_a_shield,
    Shop.tasks_share_things,
]


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.__name__)
def test_a_replay_takes_the_same_path(clock: Clock, handler: Callable[..., Any]) -> None:
    bench = history_of(clock, handler).check_replays()
    assert bench.operator.problems == []
    assert bench.ended[0].error is None


def seen_in(clock: Clock, handler: Callable[..., Any]) -> list[Any]:
    history = history_of(clock, handler)
    history.run()
    began = clock.offset + 1_000
    return [
        (round(one[0] - began, 3), *one[1:]) if isinstance(one, tuple) else one
        for one in history.seen
    ]


def test_a_member_that_fails_cancels_the_others(clock: Clock) -> None:
    assert seen_in(clock, Shop.a_member_fails) == [
        (0.2, "then it fails"),
        ["ValueError('failed')"],
        (0.3, "after"),
    ]


def test_the_shielded_call_is_made(clock: Clock) -> None:
    assert [what for _, what in seen_in(clock, Shop.cleans_up_under_a_shield)] == [
        "quick",
        "clean up slow",
        "after",
    ]


def test_a_deadline_that_has_passed_gives_the_second_attempt_no_time(clock: Clock) -> None:
    seen = seen_in(clock, Shop.two_attempts_until_a_deadline)
    assert [what for _, what in seen] == ["gave up first", "gave up second", "after both"]
    assert seen[0][0] == seen[1][0] >= 1
