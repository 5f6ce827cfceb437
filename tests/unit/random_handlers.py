"""What a random program is as a handler, and the outside that its calls reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from random_programs import (
    BATCHES,
    Branch,
    Call,
    Catch,
    Pause,
    Sleep,
    Steps,
    Take,
    Timeout,
    seconds_of,
)

from pyflink_durable import NOT_EXECUTED, DurableCall, Outcomes
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext


class Outside:
    """What the calls of one attempt reach; each call answers the same whenever it is asked."""

    def __init__(self, happened: Callable[[], None], is_over: Callable[[], bool]) -> None:
        self.started: list[int] = []  # by slot
        self.ran: list[int] = []
        self.looked_up: list[int] = []
        self.given_up: set[int] = set()
        self.ranks: dict[Any, tuple[int, int]] = {}
        self._happened = happened
        self._is_over = is_over

    def start(self, call: Call | Sleep | Timeout | Take) -> None:
        """A call is about to take its slot."""
        if not self._is_over():
            self.started.append(call.number)

    def function(self, call: Call) -> Callable[[int], Any]:
        return _Function(self, call)

    def reconciler(self, call: Call) -> Callable[[], Any] | None:
        if call.reconciler == "none":
            return None

        def look_up() -> Any:
            if not self._is_over():
                self.looked_up.append(call.number)
            if call.reconciler == "not executed":
                return NOT_EXECUTED
            return _answer(call)

        self.ranks[look_up] = (call.rank, call.number)
        return look_up

    def run(self, call: Call) -> Any:
        if not self._is_over():
            self.ran.append(call.number)
        self._happened()
        return _answer(call)


class _Function:
    """A function whose name says nothing of its call, so that equal calls have one identity."""

    def __init__(self, outside: Outside, call: Call) -> None:
        self._outside = outside
        self._call = call
        outside.ranks[self] = (call.rank, call.number)

    def __call__(self, argument: int) -> Any:
        return self._outside.run(self._call)


def _answer(call: Call) -> Any:
    if call.fails:
        raise ValueError(call.number)
    return [call.number, call.argument]


def answered(payload: Any) -> int:
    """The number of the call that gave this answer, or raised this exception."""
    number: int = payload.args[0] if isinstance(payload, ValueError) else payload[0]
    return number


async def interpret(node: Any, ctx: FlinkRunnerContext, outside: Outside) -> Any:
    """The handler that a random program is."""

    def again(part: Any) -> Any:
        return interpret(part, ctx, outside)

    match node:
        case Call():
            return await _make(node, ctx, outside)
        case Steps("sequence", parts):
            return [await again(part) for part in parts]
        case Steps("gather", parts):
            bare = [
                _asynchronous(part, ctx, outside)
                if isinstance(part, Call) and part.form == "await"
                else again(part)
                for part in parts
            ]
            return _texts(await asyncio.gather(*bare, return_exceptions=True))
        case Steps("outcomes", parts):
            made = [
                _asynchronous(part, ctx, outside)
                if isinstance(part, Call) and part.form == "await"
                else again(part)
                for part in parts
            ]
            return _outcomes(await ctx.gather(*made))
        case Steps(kind, parts) if kind in BATCHES:
            batch = _batch(parts, outside)
            try:
                return _outcomes(await ctx.durable_execute_all_async(batch, BATCHES[kind]))
            except asyncio.CancelledError:
                outside.given_up.update(call.number for call in parts)
                raise
        case Steps("task gather", parts):
            tasks = [asyncio.create_task(again(part)) for part in parts]
            return [await _text(task) for task in tasks]
        case Steps(kind, parts):
            tasks = [asyncio.create_task(again(part)) for part in parts]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            first = [number for number, task in enumerate(tasks) if task in done]
            if kind == "race and cancel":
                for task in pending:
                    task.cancel()
            return first, _texts(await asyncio.gather(*tasks, return_exceptions=True))
        case Branch(on, parts):
            text = repr(await _text(again(on)))
            return await again(parts[sum(text.encode()) % len(parts)])
        case Pause(steps):
            for _ in range(steps):
                await asyncio.sleep(0)
            return None
        case Catch(part):
            return await _text(again(part))
        case Take():
            outside.start(node)
            return ctx.now().year > 2000, ctx.random.random()
        case Sleep(number):
            outside.start(node)
            await ctx.sleep(seconds_of(number))
            return None
        case Timeout(number, _, part):
            inner = asyncio.create_task(again(part))
            outside.start(node)
            try:
                return await asyncio.wait_for(inner, seconds_of(number))
            except (TimeoutError, asyncio.TimeoutError):
                return "timed out"
    raise AssertionError(node)


def interpret_plainly(node: Any, ctx: FlinkRunnerContext, outside: Outside) -> Any:
    """The ``def`` handler that a random program is."""

    def again(part: Any) -> Any:
        return interpret_plainly(part, ctx, outside)

    match node:
        case Call():
            return _make_here(node, ctx, outside)
        case Steps("sequence", parts):
            return [again(part) for part in parts]
        case Steps(kind, parts):
            batch = _batch(parts, outside)
            return _outcomes(ctx.durable_execute_all(batch, BATCHES[kind]))
        case Branch(on, parts):
            text = repr(_text_here(again, on))
            return again(parts[sum(text.encode()) % len(parts)])
        case Pause():
            return None
        case Catch(part):
            return _text_here(again, part)
    raise AssertionError(node)


def _text_here(again: Callable[[Any], Any], part: Any) -> Any:
    try:
        return again(part)
    except ValueError as error:
        return f"raised {error}"


def _batch(calls: tuple[Call, ...], outside: Outside) -> list[DurableCall]:
    """The calls of a batch; to be made at once, for they take their slots together."""
    for call in calls:
        outside.start(call)
    return [
        DurableCall(outside.function(call), (call.argument,), reconciler=outside.reconciler(call))
        for call in calls
    ]


def _outcomes(outcomes: Outcomes) -> list[Any]:
    return [
        outcome.value if outcome.error is None else f"raised {outcome.error!r}"
        for outcome in outcomes
    ]


async def _make(call: Call, ctx: FlinkRunnerContext, outside: Outside) -> Any:
    if call.form == "task":
        return await asyncio.create_task(_asynchronous(call, ctx, outside))
    if call.form == "await":
        return await _asynchronous(call, ctx, outside)
    return _make_here(call, ctx, outside)


def _make_here(call: Call, ctx: FlinkRunnerContext, outside: Outside) -> Any:
    outside.start(call)
    func, reconciler = outside.function(call), outside.reconciler(call)
    return ctx.durable_execute(func, call.argument, reconciler=reconciler)


def _asynchronous(call: Call, ctx: FlinkRunnerContext, outside: Outside) -> Any:
    """The awaitable of a call, which tells when it takes its slot."""
    func, reconciler = outside.function(call), outside.reconciler(call)
    made: Any = ctx.durable_execute_async(func, call.argument, reconciler=reconciler)
    begin = made.begin

    def begin_watched() -> None:
        if not made.done():
            outside.start(call)
        begin()

    def note_whether_given_up(made: Any) -> None:
        if made.cancelled():
            outside.given_up.add(call.number)

    made.begin = begin_watched
    # not by the method of the call, which starts it
    asyncio.Future.add_done_callback(made, note_whether_given_up)
    return made


async def _text(awaitable: Any) -> Any:
    try:
        return await awaitable
    except ValueError as error:
        return f"raised {error}"


def _texts(results: list[Any]) -> list[Any]:
    return [
        f"raised {result!r}" if isinstance(result, BaseException) else result for result in results
    ]
