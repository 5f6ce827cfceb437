"""What plain asyncio code finds on the handlers' loop, and when the loop asks to be driven."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from loops import Operator, wait_until

SINCE_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")


@pytest.fixture
def operator() -> Iterator[Operator]:
    operator = Operator()
    threads = threading.active_count()
    yield operator
    assert operator.problems == []
    assert threading.active_count() <= threads


async def soon(value: Any, steps: int = 1) -> Any:
    for _ in range(steps):
        await asyncio.sleep(0)
    return value


class TestAsyncio:
    def test_gather(self, operator: Operator) -> None:
        async def handler() -> list[Any]:
            inner = asyncio.gather(soon(1, 3), soon(2))
            return await asyncio.gather(inner, soon(3, 2), fails(), return_exceptions=True)

        first, second, third = operator.run(handler())
        assert (first, second, str(third)) == ([1, 2], 3, "failed")

    @SINCE_311
    def test_task_group(self, operator: Operator) -> None:
        cancelled = []

        async def sibling() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        async def handler() -> Any:
            async with asyncio.TaskGroup() as group:
                good = group.create_task(soon(1))
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(sibling())
                    group.create_task(fails())
            except BaseException as error:
                return good.result(), error.exceptions  # type: ignore[attr-defined]

        result, errors = operator.run(handler())
        assert (result, [str(error) for error in errors], cancelled) == (1, ["failed"], [True])

    def test_create_task_and_its_name(self, operator: Operator) -> None:
        async def handler() -> Any:
            task = asyncio.create_task(soon("done"), name="mine")
            assert asyncio.current_task() is not task
            assert task in asyncio.all_tasks()
            return task.get_name(), await task

        assert operator.run(handler()) == ("mine", "done")

    def test_wait_for(self, operator: Operator) -> None:
        async def handler() -> Any:
            result = await asyncio.wait_for(soon("in time"), 60)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.002)
            return result

        assert operator.run(handler()) == "in time"

    @SINCE_311
    def test_timeout(self, operator: Operator) -> None:
        async def handler() -> Any:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.002):
                    await asyncio.Event().wait()
            async with asyncio.timeout(60):
                return await soon("in time")

        assert operator.run(handler()) == "in time"

    def test_event_queue_and_lock(self, operator: Operator) -> None:
        async def handler() -> list[Any]:
            event, lock = asyncio.Event(), asyncio.Lock()
            queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
            seen: list[Any] = []

            async def produce() -> None:
                await event.wait()
                for number in range(3):
                    await queue.put(number)
                    async with lock:
                        seen.append(f"put {number}")

            async def consume() -> None:
                for _ in range(3):
                    number = await queue.get()
                    async with lock:
                        seen.append(f"got {number}")

            tasks = [asyncio.create_task(produce()), asyncio.create_task(consume())]
            await soon(None, 5)
            assert seen == []
            event.set()
            await asyncio.gather(*tasks)
            return seen

        seen = operator.run(handler())
        assert sorted(seen) == ["got 0", "got 1", "got 2", "put 0", "put 1", "put 2"]
        assert operator.run(handler()) == seen

    def test_shield(self, operator: Operator) -> None:
        async def handler() -> Any:
            inner = asyncio.create_task(soon("survived", 5))
            outer = asyncio.create_task(_await(asyncio.shield(inner)))
            await asyncio.sleep(0)
            outer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await outer
            return await inner

        assert operator.run(handler()) == "survived"

    def test_as_completed_and_wait(self, operator: Operator) -> None:
        async def handler() -> Any:
            order = [
                await next_done
                for next_done in asyncio.as_completed(
                    [soon("slow", 9), soon("fast"), soon("mid", 5)]
                )
            ]
            tasks = [asyncio.create_task(soon(steps, steps)) for steps in (7, 2)]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert await next(iter(pending)) == 7
            return order, [task.result() for task in done]

        assert operator.run(handler()) == (["fast", "mid", "slow"], [2])

    def test_sleep(self, operator: Operator) -> None:
        async def handler() -> Any:
            async def after(seconds: float, value: str) -> None:
                await asyncio.sleep(seconds)
                order.append(value)

            order: list[str] = []
            await asyncio.gather(after(0.02, "late"), after(0.001, "early"), after(0, "at once"))
            return order

        assert operator.run(handler()) == ["at once", "early", "late"]


async def fails() -> None:
    raise ValueError("failed")


async def _await(awaitable: Any) -> Any:
    return await awaitable


class TestWakes:
    def test_none_without_need(self, operator: Operator) -> None:
        async def handler() -> Any:
            event = asyncio.Event()
            asyncio.get_running_loop().call_soon(event.set)
            await event.wait()
            return await asyncio.gather(soon(1, 3), soon(2))

        assert operator.start(handler()).result() == [1, 2]
        assert (operator.wakes, operator.wakes_at) == (0, [])

    def test_one_for_many_completions(self, operator: Operator) -> None:
        loop = operator.loop

        async def handler() -> int:
            futures = [loop.create_future() for _ in range(100)]
            threads = [
                threading.Thread(
                    target=lambda part=part: [
                        loop.hand_over(future.set_result, 1) for future in part
                    ]
                )
                for part in (futures[:50], futures[50:])
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return sum(await asyncio.gather(*futures))

        task = operator.start(handler())
        assert (operator.wakes, task.done()) == (1, False)
        loop.drain()
        assert task.result() == 100
        loop.hand_over(lambda: None)
        assert operator.wakes == 2

    def test_completions_are_taken_one_at_a_time_with_quiescence_between(
        self, operator: Operator
    ) -> None:
        loop, seen = operator.loop, []

        async def waits(name: str, future: asyncio.Future[None]) -> None:
            await future
            for step in range(3):
                seen.append(f"{name}{step}")
                await asyncio.sleep(0)

        async def handler() -> None:
            first, second = loop.create_future(), loop.create_future()
            loop.hand_over(second.set_result, None)
            loop.hand_over(first.set_result, None)
            await asyncio.gather(waits("a", first), waits("b", second))

        operator.run(handler())
        assert seen == ["b0", "b1", "b2", "a0", "a1", "a2"]

    def test_a_callback_that_raises_stops_nothing(self) -> None:
        operator = Operator()
        seen: list[int] = []

        async def handler() -> None:
            asyncio.get_running_loop().call_soon(fails_at_once)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(1)

        operator.run(handler())
        assert seen == [1]
        [problem] = operator.problems
        assert "ValueError: failed" in problem

    def test_nothing_after_the_close(self, operator: Operator) -> None:
        operator.loop.close()
        assert operator.loop.is_closed()
        thread = threading.Thread(target=operator.loop.hand_over, args=(print,))
        thread.start()
        wait_until(lambda: not thread.is_alive())
        assert operator.wakes == 0
        assert not operator.loop._inbox


def fails_at_once() -> None:
    raise ValueError("failed")
