"""Nodes of random programs whose tasks share something: a lock, an event, a queue, a generator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from asyncio_programs import Act, Node
from asyncio_runs import AS_RESULTS, BareRun


class SharedNodes(BareRun):
    """Runs what tasks share."""

    async def _together(self, tasks: list[Coroutine[Any, Any, Any]]) -> Any:
        """One that is cancelled gives nothing to the others: they would wait for ever."""
        members = [asyncio.ensure_future(task) for task in tasks]

        def end(member: asyncio.Future[Any]) -> None:
            if member.cancelled():
                for other in members:
                    other.cancel()

        for member in members:
            member.add_done_callback(end)
        return await asyncio.gather(*members, **AS_RESULTS)

    async def lock(self, node: Node) -> Any:
        return await self._within(asyncio.Lock(), node)

    async def semaphore(self, node: Node) -> Any:
        return await self._within(asyncio.Semaphore(node.count), node)

    async def _within(self, limit: Any, node: Node) -> Any:
        order = []

        async def one(part: Any) -> None:
            async with limit:
                order.append(part.number)
                await self.caught(part)

        await self._together([one(part) for part in node.parts])
        return order

    async def event(self, node: Node) -> Any:
        event = asyncio.Event()

        async def first() -> None:
            await self.caught(node.parts[0])
            event.set()

        async def then(part: Any) -> Any:
            await event.wait()
            return await self.caught(part)

        return await self._together([first(), *map(then, node.parts[1:])])

    async def condition(self, node: Node) -> Any:
        condition, ready = asyncio.Condition(), []

        async def waits() -> int:
            async with condition:
                await condition.wait_for(lambda: len(ready) >= node.count)
                return len(ready)

        async def tells(part: Any) -> None:
            await self.caught(part)
            async with condition:
                ready.append(part.number)
                condition.notify_all()

        return await self._together([waits(), *map(tells, node.parts)])

    async def barrier(self, node: Node) -> Any:
        barrier = asyncio.Barrier(len(node.parts))

        async def one(part: Any) -> Any:
            await self.caught(part)
            return await barrier.wait()

        return await self._together([one(part) for part in node.parts])

    async def queue(self, node: Node) -> Any:
        return await self._through(asyncio.Queue(node.count), node)

    async def priority_queue(self, node: Node) -> Any:
        return await self._through(asyncio.PriorityQueue(), node)

    async def _through(self, queue: asyncio.Queue[Any], node: Node) -> Any:
        taken = []

        async def produce(part: Any) -> None:
            await queue.put((-part.number, repr(await self.caught(part))))

        async def consume() -> None:
            for _ in node.parts:
                taken.append(await queue.get())
                await asyncio.sleep(node.seconds)

        await self._together([consume(), *map(produce, node.parts)])
        return taken

    async def generator(self, node: Node) -> Any:
        return [item async for item in self._generate(node)]

    async def broken_generator(self, node: Node) -> Any:
        async for item in self._generate(node):
            return item

    async def _generate(self, node: Node) -> AsyncIterator[Any]:
        try:
            for part in node.parts:
                yield await self.caught(part)
        finally:
            await self._act(Act(node.number, "await", "value", node.seconds))
