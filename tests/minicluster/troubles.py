"""A job with thousands of invocations of five kinds of trouble."""

from __future__ import annotations

import asyncio
from typing import Any

from crashkit import Stage, World, durable, scripted

from pyflink_durable import DurableOptions, RetryPolicy, RunnerContext

OF_EACH = 4_000
KINDS = ("hangs", "gate", "retries", "doubt", "sleeps")
OPTIONS = DurableOptions(
    call_metrics=True,
    max_in_flight=len(KINDS) * OF_EACH,
    max_pending=len(KINDS) * OF_EACH,
    park_after=0.1,
    retry=RetryPolicy(max_attempts=2, initial_interval=3_600, jitter=0),
)


async def hang() -> None:
    await asyncio.get_running_loop().create_future()


async def refuse() -> None:
    raise ConnectionError("not now")


async def charge() -> str:
    return "charged"


async def handle(name: str, ctx: RunnerContext) -> None:
    kind = name.split("-")[0]
    if kind == "hangs":
        await ctx.durable_execute_async(hang, durable_id="shop.reserve")
    elif kind == "gate":
        while True:
            await ctx.durable_execute_async(charge, durable_id="shop.charge", durability="gated")
    elif kind == "retries":
        await ctx.durable_execute_async(refuse, durable_id="shop.ship")
    elif kind == "doubt":
        # nobody knows what came of it, and who is asked does not answer
        await ctx.durable_execute_async(
            hang, durable_id="shop.refund", timeout=0.01, reconciler=hang
        )
    else:
        await ctx.sleep(3_600)


def add_troubles(env: Any, world: World) -> None:
    """Adds inputs, which come all at once, and the operator that gets stuck with them."""
    names = [f"{kind}-{number}" for number in range(OF_EACH) for kind in KINDS]
    inputs = scripted(env, world, [Stage(names)], bounded=False)
    durable(inputs, handle, name="orders", uid="orders", options=OPTIONS).print()
