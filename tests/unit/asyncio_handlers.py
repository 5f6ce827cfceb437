"""What random programs of asyncio are as handlers. All that happens in one is an output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
from asyncio_outside import TENANT
from asyncio_programs import Act, Node
from asyncio_runs import AS_RESULTS, in_time, results_of
from asyncio_shared import SharedNodes


class Handler:
    """A program as a handler."""

    def __init__(self, program: Any) -> None:
        self._program = program

    async def __call__(self, value: Any, ctx: Any) -> Any:
        return await Run(ctx).of(self._program)


class Run(SharedNodes):
    """One run of a program."""

    # ---------------------------------------------------------------- time and chance

    async def sleep(self, node: Node) -> None:
        await asyncio.sleep(node.seconds)

    async def pause(self, node: Node) -> None:
        await asyncio.sleep(0)

    async def now(self, node: Node) -> Any:
        return self._ctx.now()

    async def chance(self, node: Node) -> Any:
        return self._ctx.random.random(), self._ctx.uuid4()

    async def clock(self, node: Node) -> Any:
        return asyncio.get_running_loop().time()

    async def wait_for(self, node: Node) -> Any:
        return await in_time(asyncio.wait_for(self.of(node.parts[0]), node.seconds))

    async def timeout(self, node: Node) -> Any:
        async def inside() -> Any:
            async with asyncio.timeout(node.seconds):
                return await self.of(node.parts[0])

        return await in_time(inside())

    async def timeout_at(self, node: Node) -> Any:
        deadline = asyncio.get_running_loop().time() + node.seconds

        async def twice() -> Any:
            for _ in range(2):
                async with asyncio.timeout_at(deadline):
                    await self.of(node.parts[0])

        return await in_time(twice())

    async def rescheduled(self, node: Node) -> Any:
        async def inside() -> Any:
            async with asyncio.timeout(1.0) as timeout:
                await self.caught(node.parts[0])
                timeout.reschedule(asyncio.get_running_loop().time() + node.seconds)
                return await self.of(node.parts[0])

        return await in_time(inside())

    async def entered_late(self, node: Node) -> Any:
        async def inside() -> Any:
            late = asyncio.timeout(node.seconds)
            await asyncio.sleep(1.0)
            async with late:
                return await self.of(node.parts[0])

        return await in_time(inside())

    async def budget(self, node: Node) -> Any:
        loop = asyncio.get_running_loop()
        end, results = loop.time() + node.seconds, []
        for part in node.parts:
            results.append(await in_time(asyncio.wait_for(self.of(part), end - loop.time())))
        return results

    async def anyio_move_on(self, node: Node) -> Any:
        with anyio.move_on_after(node.seconds) as scope:
            await self.caught(node.parts[0])
        return scope.cancelled_caught

    async def anyio_fail(self, node: Node) -> Any:
        async def inside() -> Any:
            with anyio.fail_after(node.seconds):
                return await self.of(node.parts[0])

        return await in_time(inside())

    # ---------------------------------------------------------------- one part

    async def catch(self, node: Node) -> Any:
        return await self.caught(node.parts[0])

    async def shield(self, node: Node) -> Any:
        inner = asyncio.ensure_future(self.caught(node.parts[0]))
        result = await in_time(asyncio.wait_for(asyncio.shield(inner), node.seconds))
        return result, await inner

    async def cancel_later(self, node: Node) -> Any:
        task = asyncio.create_task(self.of(node.parts[0]))
        await asyncio.sleep(node.seconds)
        cancelled = task.cancel()
        return cancelled, await results_of([task])

    async def in_context(self, node: Node) -> Any:
        token = TENANT.set(f"tenant {node.number}")
        try:
            return await asyncio.create_task(self.caught(node.parts[0])), TENANT.get()
        finally:
            TENANT.reset(token)

    async def with_finally(self, node: Node) -> Any:
        try:
            return await self.of(node.parts[0])
        finally:
            await self._act(Act(node.number, "await", "value", node.seconds))

    async def in_generator(self, node: Node) -> Any:
        async def one() -> AsyncIterator[Any]:
            yield await self.caught(node.parts[0])

        return [item async for item in one()]

    # ---------------------------------------------------------------- many parts

    async def sequence(self, node: Node) -> Any:
        return [await self.caught(part) for part in node.parts]

    async def branch(self, node: Node) -> Any:
        first = repr(await self.caught(node.parts[0]))
        return await self.of(node.parts[1 + sum(first.encode()) % (len(node.parts) - 1)])

    async def gather(self, node: Node) -> Any:
        return [str(r) for r in await asyncio.gather(*map(self.of, node.parts), **AS_RESULTS)]

    async def outcomes(self, node: Node) -> Any:
        outcomes = await self._ctx.gather(*map(self.of, node.parts))
        return [(outcome.status.value, str(outcome.error)) for outcome in outcomes]

    async def race(self, node: Node) -> Any:
        return await self._race(node, cancel=False)

    async def race_and_cancel(self, node: Node) -> Any:
        return await self._race(node, cancel=True)

    async def _race(self, node: Node, cancel: bool) -> Any:
        tasks = [asyncio.create_task(self.of(part)) for part in node.parts]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if cancel:
            for task in pending:
                task.cancel()
        return [task in done for task in tasks], await results_of(tasks)

    async def as_they_complete(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.caught(part)) for part in node.parts]
        return [repr(await task) for task in asyncio.as_completed(tasks)]

    async def group(self, node: Node) -> Any:
        async def inside() -> Any:
            async with asyncio.TaskGroup() as group:
                for part in node.parts:
                    group.create_task(self.of(part))

        return await in_time(inside())

    async def anyio_group(self, node: Node) -> Any:
        async def inside() -> Any:
            async with anyio.create_task_group() as group:
                for part in node.parts:
                    group.start_soon(self.of, part)

        return await in_time(inside())
