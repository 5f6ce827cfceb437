"""What random programs of asyncio are as handlers. All that happens in one is an output."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import anyio
from asyncio_programs import Act, Node

from pyflink_durable import DurableCall

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")

KEPT: list[Any] = []
"""What functions keep of what they gave away, and change later."""


def answer(spec: dict[str, Any]) -> Any:
    """The function of all calls: ends as it is told, and treats what it has as its own."""
    for kept in KEPT:
        kept.append("changed by a later call")
    number = spec["number"]
    match spec["ends"]:
        case "list":
            KEPT.append([number, "from outside"])
            return KEPT[-1]
        case "tenant":
            return f"for {TENANT.get()}"
        case "changes":
            spec["lines"].append("changed by the function")
            TENANT.set("changed by the function")
            return spec
        case "error":
            raise ValueError(number)
        case "caused":
            raise RuntimeError(number) from ConnectionError("reset", number)
        case "noted":
            error = KeyError(number)
            getattr(error, "add_note", vars(error).setdefault)("__noted__", *(("x",) * 0))
            raise error
        case "grouped":
            raise asyncio.TimeoutError(number) from LookupError([number, {"of": "all"}])
    return {"number": number}


async def answer_later(spec: dict[str, Any]) -> Any:
    """The same, as a coroutine function."""
    return answer(spec)


class Handler:
    """A program as a handler."""

    def __init__(self, program: Any) -> None:
        self._program = program

    async def __call__(self, value: Any, ctx: Any) -> Any:
        return await Run(ctx).of(self._program)


class Run:
    """One run of a program."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    async def of(self, node: Any) -> Any:
        """Runs a node, and tells what came of it and when."""
        try:
            result = await (self._act(node) if isinstance(node, Act) else self._do(node))
        except BaseException as error:
            self._tell(node, _text_of(error))
            raise
        self._tell(node, result)
        return result

    def _tell(self, node: Any, what: Any) -> None:
        with contextlib.suppress(Exception):  # the handler has ended
            now = asyncio.get_running_loop().time()
            self._ctx.collect((now, node.number, TENANT.get(), repr(what)))

    async def caught(self, node: Any) -> Any:
        """Runs a node whose error is a result."""
        try:
            return await self.of(node)
        except Exception as error:
            return _text_of(error)

    def _do(self, node: Node) -> Awaitable[Any]:
        do: Callable[[Node], Awaitable[Any]] = getattr(self, node.kind)
        return do(node)

    # ---------------------------------------------------------------- calls

    async def _act(self, act: Act) -> Any:
        spec = {"number": act.number, "ends": act.ends, "seconds": act.seconds, "lines": ["order"]}
        if act.form == "sync":
            result = self._ctx.durable_execute(answer, spec)
        elif act.form == "batch":
            calls = [DurableCall(answer, (spec,)), DurableCall(answer_later, (spec,))]
            outcomes = await self._ctx.durable_execute_all_async(calls)
            result = [outcome.value or _text_of(outcome.error) for outcome in outcomes]
        else:
            call = self._ctx.durable_execute_async(answer, spec)
            if act.form == "task":
                call = asyncio.create_task(call)
            spec["lines"].append("changed by the handler")  # after the call was made
            result = await call
        if act.ends == "tenant" and act.form != "batch":
            assert result == f"for {TENANT.get()}", result
        if isinstance(result, list):
            result.append("changed by the handler")
        return [spec["lines"], result]

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
        return await _in_time(asyncio.wait_for(self.of(node.parts[0]), node.seconds))

    async def timeout(self, node: Node) -> Any:
        async def inside() -> Any:
            async with asyncio.timeout(node.seconds):
                return await self.of(node.parts[0])

        return await _in_time(inside())

    async def timeout_at(self, node: Node) -> Any:
        deadline = asyncio.get_running_loop().time() + node.seconds

        async def twice() -> Any:
            for _ in range(2):
                async with asyncio.timeout_at(deadline):
                    await self.of(node.parts[0])

        return await _in_time(twice())

    async def rescheduled(self, node: Node) -> Any:
        async def inside() -> Any:
            async with asyncio.timeout(1.0) as timeout:
                await self.caught(node.parts[0])
                timeout.reschedule(asyncio.get_running_loop().time() + node.seconds)
                return await self.of(node.parts[0])

        return await _in_time(inside())

    async def entered_late(self, node: Node) -> Any:
        async def inside() -> Any:
            late = asyncio.timeout(node.seconds)
            await asyncio.sleep(1.0)
            async with late:
                return await self.of(node.parts[0])

        return await _in_time(inside())

    async def budget(self, node: Node) -> Any:
        loop = asyncio.get_running_loop()
        end, results = loop.time() + node.seconds, []
        for part in node.parts:
            results.append(await _in_time(asyncio.wait_for(self.of(part), end - loop.time())))
        return results

    async def anyio_move_on(self, node: Node) -> Any:
        with anyio.move_on_after(node.seconds) as scope:
            await self.caught(node.parts[0])
        return scope.cancelled_caught

    async def anyio_fail(self, node: Node) -> Any:
        async def inside() -> Any:
            with anyio.fail_after(node.seconds):
                return await self.of(node.parts[0])

        return await _in_time(inside())

    # ---------------------------------------------------------------- one part

    async def catch(self, node: Node) -> Any:
        return await self.caught(node.parts[0])

    async def shield(self, node: Node) -> Any:
        inner = asyncio.ensure_future(self.caught(node.parts[0]))
        result = await _in_time(asyncio.wait_for(asyncio.shield(inner), node.seconds))
        return result, await inner

    async def cancel_later(self, node: Node) -> Any:
        task = asyncio.create_task(self.of(node.parts[0]))
        await asyncio.sleep(node.seconds)
        cancelled = task.cancel()
        return cancelled, await _results([task])

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
        return [str(r) for r in await asyncio.gather(*map(self.of, node.parts), **_AS_RESULTS)]

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
        return [task in done for task in tasks], await _results(tasks)

    async def as_they_complete(self, node: Node) -> Any:
        tasks = [asyncio.create_task(self.caught(part)) for part in node.parts]
        return [repr(await task) for task in asyncio.as_completed(tasks)]

    async def group(self, node: Node) -> Any:
        async def inside() -> Any:
            async with asyncio.TaskGroup() as group:
                for part in node.parts:
                    group.create_task(self.of(part))

        return await _in_time(inside())

    async def anyio_group(self, node: Node) -> Any:
        async def inside() -> Any:
            async with anyio.create_task_group() as group:
                for part in node.parts:
                    group.start_soon(self.of, part)

        return await _in_time(inside())

    # ---------------------------------------------------------------- what tasks share

    async def _together(self, tasks: list[Coroutine[Any, Any, Any]]) -> Any:
        """One that is cancelled gives nothing to the others: they would wait for ever."""
        members = [asyncio.ensure_future(task) for task in tasks]

        def end(member: asyncio.Future[Any]) -> None:
            if member.cancelled():
                for other in members:
                    other.cancel()

        for member in members:
            member.add_done_callback(end)
        return await asyncio.gather(*members, **_AS_RESULTS)

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


_AS_RESULTS: Any = {"return_exceptions": True}


async def _in_time(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except Exception as error:
        return _text_of(error)


async def _results(tasks: list[Any]) -> list[str]:
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [_text_of(r) if isinstance(r, BaseException) else repr(r) for r in results]


def _text_of(error: BaseException | None) -> str:
    """All that a handler can see of an error."""
    if error is None:
        return "no error"
    if isinstance(error, asyncio.CancelledError):  # anyio's names its scope by the address
        return "cancelled"
    members = [_text_of(member) for member in getattr(error, "exceptions", ())]
    notes = getattr(error, "__notes__", [])
    cause = f" from {_text_of(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}{error.args if not members else ''}{members}{notes}{cause}"
