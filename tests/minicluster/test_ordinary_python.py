"""Handlers made of ordinary Python, through a failure: none charges twice, at any level.

Each takes its path by something that was not the same in a replay: live objects in place of their
copies, another context, another order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import pytest
from crashkit import DEADLINE_SECONDS, Stage, World, durable, environment, run, scripted
from crashkit import write_outputs as write

from pyflink_durable import DurableOptions, FileCallLog, RunnerContext

pytestmark = pytest.mark.minicluster

CRASH = "crash"
TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


class Refused(Exception):
    """What the payment service says no with."""


# ------------------------------------------------------------------------------ the outside


def charge(world: World, name: str, *what: Any) -> str:
    world.note("run", name)
    return f"charged {name}"


def charge_lines(world: World, name: str, order: dict[str, Any]) -> str:
    return charge(world, f"{name} {len(order['lines'])}")


def check_and_complete(world: World, order: dict[str, Any]) -> str:
    """Changes what it was given."""
    order["lines"].append("checked")
    order["checked"] = True
    return "fine"


_OPEN: list[list[str]] = []


def open_account(world: World) -> list[str]:
    """Gives a list that it goes on with itself."""
    for account in _OPEN:
        account.append("opened another one")
    _OPEN.append(["opened"])
    return _OPEN[-1]


def refuse(world: World) -> None:
    raise Refused("no") from ConnectionError("reset")


def whose_is_this(world: World) -> str:
    tenant = TENANT.get()
    TENANT.set("left behind")
    return tenant


async def never_answers(world: World, name: str) -> None:
    charge(world, name)
    await asyncio.sleep(DEADLINE_SECONDS)


# ------------------------------------------------------------------------------ the handlers


class Handlers:
    """By the input: the name of one of them, and a number."""

    def __init__(self, world: World, name: str, ctx: RunnerContext) -> None:
        self._world = world
        self._name = name
        self._ctx = ctx

    def _call(self, func: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        return self._ctx.durable_execute_async(func, self._world, *args)

    async def _charge(self, part: str, *what: Any) -> None:
        await self._call(charge, f"{self._name}/{part}", *what)

    async def argument_that_its_function_changes(self) -> None:
        order = {"lines": ["one"]}
        await self._call(check_and_complete, order)
        await self._charge("charge", order)

    async def argument_that_the_handler_changes(self) -> None:
        order = {"lines": ["one"]}
        charged = self._call(charge_lines, f"{self._name}/lines", order)
        order["lines"].append("too late")
        await charged
        await self._charge("shipping", order)

    async def result_that_goes_on_to_change(self) -> None:
        account = await self._call(open_account)
        await self._call(open_account)
        await self._charge("charge", account)

    async def cause_of_an_error(self) -> None:
        try:
            await self._call(refuse)
        except Refused as error:
            part = "elsewhere" if isinstance(error.__cause__, ConnectionError) else "here"
            await self._charge(part, repr(error.__cause__))

    async def context_variable(self) -> None:
        TENANT.set(self._name)
        whose = await self._call(whose_is_this)
        await self._charge("charge" if whose == TENANT.get() == self._name else f"that of {whose}")

    async def call_that_is_given_up(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._call(never_answers, f"{self._name}/given up"), 0.1)
        await self._charge("charge")

    async def generator_that_is_left(self) -> None:
        async def parts() -> AsyncIterator[str]:
            try:
                yield "first"
                yield "second"
            finally:
                await self._charge("refund")

        async for part in parts():
            await self._charge(part)
            break
        await self._charge("after")

    async def group_that_is_cancelled(self) -> None:
        async def member(number: int) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self._ctx.durable_execute(charge, self._world, f"{self._name}/undo {number}")

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(member, number)
            await asyncio.sleep(0.01)
            group.cancel_scope.cancel()
        await self._charge("after")


CHARGES = {
    "argument_that_its_function_changes": ["charge"],
    "argument_that_the_handler_changes": ["lines 1", "shipping"],
    "result_that_goes_on_to_change": ["charge"],
    "cause_of_an_error": ["elsewhere"],
    "context_variable": ["charge"],
    "call_that_is_given_up": ["given up", "charge"],
    "generator_that_is_left": ["first", "refund", "after"],
    "group_that_is_cancelled": [*(f"undo {number}" for number in range(10)), "after"],
}
INPUTS = [f"{kind}-{number}" for kind in CHARGES for number in range(2)]
EXPECTED = {f"{name}/{part}": 1 for name in INPUTS for part in CHARGES[name.split("-")[0]]}


def all_are_in_a_checkpoint(world: World) -> bool:
    if not world.has_all("charged", INPUTS):
        return False
    if world.first_time("all are charged"):
        world.note("all", checkpoint=world.newest_checkpoint())
    return bool(world.events("all")) and world.is_covered(world.events("all")[0]["checkpoint"])


def wait_for_the_moment(world: World) -> None:
    if not world.crashed():
        world.wait(all_are_in_a_checkpoint, "the moment of the crash")


@pytest.mark.parametrize("level", ["checkpoint", "gated", "write-ahead"])
def test_each_charge_is_made_once(world: World, level: Any, tmp_path: Path) -> None:
    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == CRASH:
            await ctx.durable_execute_async(wait_for_the_moment, world)
            world.crash_once()
            return name
        # a sync call in a handler cannot wait, so the job's level is for the others
        await getattr(Handlers(world, name, ctx), name.split("-")[0])()
        if not world.crashed():
            world.note("charged", name)
            await asyncio.get_running_loop().create_future()  # in flight at the crash
        await asyncio.sleep(0.1)  # time for what is not to start any more
        return name

    log = FileCallLog(directory=tmp_path) if level == "write-ahead" else None
    env = environment(world, restarts=1)
    stages = [Stage([*INPUTS, CRASH]), Stage([], when=World.crashed)]
    options = DurableOptions(durability=level, call_log=log, on_mismatch="fail")
    write(durable(scripted(env, world, stages), handle, options=options), world)
    run(env)

    assert world.crashed()
    assert Counter(world.subjects("run")) == EXPECTED
    assert sorted(world.outputs()) == sorted([CRASH, *INPUTS])
