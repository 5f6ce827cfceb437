"""The job whose savepoints are kept for good, see `savepoints/README.md`.

Each key is in a situation of its own when its savepoint is taken. What the handlers do is what the
savepoints of past releases hold: a situation may be added, and none changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from crashkit import Stage, World, durable, scripted
from pyflink.common import Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import DataStream, StreamExecutionEnvironment

from pyflink_durable import (
    NOT_EXECUTED,
    DurableCall,
    DurableOptions,
    DurableProcessFunction,
    FileCallLog,
    OutcomeUnknown,
    RetryPolicy,
    RunnerContext,
    current_call,
)

PAUSE_SECONDS = 60
"""Longer than a test waits: a deadline that were forgotten would begin anew, and fail it."""
RETRIES = RetryPolicy(initial_interval=0.01, backoff=PAUSE_SECONDS * 100, jitter=0)
FIRST = ["idle/1", "finished/1", "again/1", "unknown/1", "not-executed/1", "retried/1", "slept/1"]
FIRST += ["batch/1", "together/1", "line/1", "line/2", "line/3", "logged/1"]
LAST = "idle/2"
"""Comes when the others have come to their places, and ends behind all that they have done."""


class Size(Enum):
    SMALL = 1
    LARGE = 2


@dataclass(frozen=True)
class Receipt:
    order: str
    amount: Decimal


class Refused(Exception):
    """What a call fails with."""


BASKET = {
    "items": [("pear", 2, Size.SMALL), ("melon", 1, Size.LARGE)],
    "paid": Receipt("é", Decimal("9.50")),
    "at": datetime(2025, 3, 1, 12, 30, tzinfo=timezone.utc),
    "marks": {"gift", b"\x00\xff", 1.5, None, True},
}
"""Arguments of many types: their digest is part of a call's identity."""


class Outside:
    """The outside calls.

    Its world is no part of their identity, as this is no dataclass: the savepoint is taken in one
    world and restored in another.
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def _note(self, event: str, name: str) -> int:
        call = current_call()
        self.world.note(event, name, attempt=call.attempt, key=call.idempotency_key)
        return call.attempt

    async def act(self, name: str) -> str:
        self._note("run", name)
        return f"ran {name}"

    async def pay(self, name: str, basket: Any, amount: Decimal) -> Receipt:
        self._note("run", name)
        return Receipt(name, amount)

    async def refuse(self, name: str, attempts: int) -> str:
        """Fails, for so many attempts."""
        if self._note("run", name) <= attempts:
            raise Refused(f"{name} is refused")
        return f"ran {name}"

    async def hang(self, name: str) -> str:
        """Has no outcome at its first attempt."""
        if self._note("run", name) == 1:
            await asyncio.get_running_loop().create_future()
        return f"ran {name}"

    async def act_behind(self, name: str, event: str, other: str) -> str:
        """Ends once something has happened to something else."""
        self._note("run", name)
        await self.world.wait_async(lambda world: world.count(event, other) > 0, f"{event} {other}")
        return f"ran {name}"

    def look_up(self, name: str) -> str:
        self._note("reconcile", name)
        return f"found {name}"

    def look_up_in_vain(self, name: str) -> Any:
        self._note("reconcile", name)
        return NOT_EXECUTED


# ------------------------------------------------------------------------------ situations


async def idle(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """Nothing is in flight: there is the state of the key, and its next sequence number."""
    return await ctx.durable_execute_async(outside.act, name)


async def finished(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """Two calls have an outcome, the third is in doubt and can be looked up."""
    pay = partial(outside.pay, f"{name}/pay", BASKET)
    receipt = await ctx.durable_execute_async(pay, amount=Decimal("10.10"))
    try:
        await ctx.durable_execute_async(outside.refuse, f"{name}/refuse", 1)
    except Refused as error:
        refused = str(error)
    shipped = await ctx.durable_execute_async(
        outside.hang, f"{name}/ship", reconciler=lambda: outside.look_up(f"{name}/ship")
    )
    return f"{receipt.amount}, {refused}, {shipped}"


async def again(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """In doubt, and may run again."""
    return await ctx.durable_execute_async(outside.hang, name, durable_id="hang")


async def unknown(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """In doubt, and must not run again."""
    try:
        return await ctx.durable_execute_async(outside.hang, name, in_doubt="raise")
    except OutcomeUnknown as error:
        outside.world.note("unknown", name, attempt=error.attempt, key=error.idempotency_key)
        return f"unknown is {error.function_id}"


async def not_executed(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """In doubt, and the reconciler says it has not happened."""
    return await ctx.durable_execute_async(
        outside.hang, name, reconciler=lambda: outside.look_up_in_vain(name)
    )


async def retried(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """Has failed twice, and waits for its third attempt."""
    return await ctx.durable_execute_async(outside.refuse, name, 2, retry=RETRIES)


async def slept(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """In the middle of a sleep, having seen the time and what is random."""
    seen = f"{ctx.now().isoformat()} {ctx.uuid4()} {ctx.random.random()}"
    outside.world.note("sleeps", name, seen=seen)
    await ctx.sleep(PAUSE_SECONDS)
    return seen


async def batch(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """Two calls have ended, two are in doubt and keep the last from starting."""

    def call(part: str, func: Any, **options: Any) -> DurableCall:
        return DurableCall(func, (f"{name}/{part}",), durable_id=part, **options)

    sure = partial(outside.look_up, f"{name}/sure")
    outcomes = await ctx.durable_execute_all_async(
        [
            call("ended-1", outside.act),
            call("ended-2", outside.act),
            call("sure", outside.hang, reconciler=sure),
            call("unsure", outside.hang),
            call("in-line", outside.act),
        ],
        max_parallelism=2,
    )
    return ", ".join(outcomes.values())


async def together(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """Of three calls the second has ended first, the first one second; the third hangs."""
    results: list[str] = []

    async def call(part: str, func: Any, *more: str) -> None:
        call = f"{name}/{part}"
        reconciler = partial(outside.look_up, call)
        results.append(await ctx.durable_execute_async(func, call, *more, reconciler=reconciler))

    await asyncio.gather(
        call("slow", outside.act_behind, "run", f"{name}/quick"),
        call("quick", outside.act),
        call("stuck", outside.hang),
    )
    return ", ".join(results)


async def line(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """The first input is in doubt, those behind it have not started."""
    func = outside.hang if name == "line/1" else outside.act
    return await ctx.durable_execute_async(func, name, reconciler=partial(outside.look_up, name))


async def logged(outside: Outside, name: str, ctx: RunnerContext) -> str:
    """Has got on since the savepoint: only the call log knows of its second call."""
    calls = [
        (outside.act_behind, f"{name}/reserve", ("savepoint", "")),
        (outside.hang, f"{name}/ship", ()),
    ]
    results = [
        await ctx.durable_execute_async(
            func, call, *more, reconciler=partial(outside.look_up, call)
        )
        for func, call, more in calls
    ]
    return ", ".join(results)


Situation = Callable[[Outside, str, RunnerContext], Awaitable[str]]
SITUATIONS: dict[str, Situation] = {
    "idle": idle,
    "finished": finished,
    "again": again,
    "unknown": unknown,
    "not-executed": not_executed,
    "retried": retried,
    "slept": slept,
    "batch": batch,
    "together": together,
    "line": line,
    "logged": logged,
}


# ------------------------------------------------------------------------------ the job


class Situations(DurableProcessFunction):
    """Counts the inputs of each key, and does what its situation says."""

    def __init__(self, world: World) -> None:
        self._outside = Outside(world)

    async def process(self, value: Any, ctx: RunnerContext) -> str:
        name = value if isinstance(value, str) else value["name"]
        situation, _ = name.split("/")
        seen = ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        told = await SITUATIONS[situation](self._outside, name, ctx)
        self._outside.world.note("handled", name)
        return f"{name} is number {seen}, of time {ctx.timestamp}: {told}"


class InputNumber(TimestampAssigner):  # type: ignore[misc]
    """The event time of ``line/2`` is 2."""

    def extract_timestamp(self, value: str, record_timestamp: int) -> int:
        return int(value.split("/")[1])


def build(
    env: StreamExecutionEnvironment,
    world: World,
    stages: list[Stage],
    log: Path,
    time_to_live: float | None = None,
    payloads: Mapping[str, Any] | None = None,
) -> DataStream:
    """An operator at the level ``checkpoint``, and one at ``write-ahead``; gives their answers.

    Args:
        env: Where.
        world: The outside, now.
        stages: What comes in.
        log: The directory of the call log.
        time_to_live: Of what is kept of keys that are idle.
        payloads: Options that say how payloads are written.
    """
    kept: Any = {"key_ttl": time_to_live, "state_ttl": time_to_live, **(payloads or {})}
    call_log = FileCallLog(directory=log)
    times = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(InputNumber())
    inputs = scripted(env, world, stages, bounded=False).assign_timestamps_and_watermarks(times)
    strings = inputs.filter(lambda name: not name.startswith("logged/"))
    objects = inputs.filter(lambda name: name.startswith("logged/")).map(
        lambda name: {"name": name}, Types.PICKLED_BYTE_ARRAY()
    )
    answers = durable(
        strings,
        Situations(world),
        key=lambda name: name.split("/")[0],
        options=DurableOptions(**kept),
        name="in-state",
    )
    logged_answers = durable(
        objects,
        Situations(world),
        key=lambda value: tuple(value["name"].split("/")[:1]),
        key_type=Types.PICKLED_BYTE_ARRAY(),
        options=DurableOptions(durability="write-ahead", call_log=call_log, **kept),
        name="in-log",
    )
    return answers.union(logged_answers)
