"""Twenty faults that are planted in a handler, each with what its user tests of the outside.

Each is a class with the outside and the handler; `sound` says whether the outside is as it should
be. The mutation test has `crash_points` with `always_replay` find every one of them, and pass the
`Correct` handler, of which all others are made.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import time
import uuid
from collections import Counter
from typing import Any

from pyflink_durable import NOT_EXECUTED, OutcomeUnknown, RetryPolicy, RunnerContext, current_call

ORDER = {"id": "o-1", "items": ["tea", "cup", "pot", "jar", "mug", "tin"], "amount": 5}


class Correct:
    """Charges once, packs each item once, tells the customer."""

    def __init__(self) -> None:
        self.charges: Counter[str] = Counter()
        self.packed: Counter[str] = Counter()
        self.keys: dict[str, Any] = {}
        self.told: list[str] = []
        self.tries = 0

    # ---------------------------------------------------------------- the outside

    def charge(self, order: str, amount: int) -> str:
        self.charges[order] += 1
        return f"charge-{order}"

    def find(self, order: str) -> Any:
        return f"charge-{order}" if self.charges[order] else NOT_EXECUTED

    def pack(self, item: str, *more: Any) -> str:
        key = current_call().idempotency_key
        if self.keys.setdefault(key, item) == item:  # the service knows the keys that it has seen
            self.packed[item] = 1
        return item

    def tell(self, text: str, *more: Any) -> None:
        self.told.append(text)

    # ---------------------------------------------------------------- the handler

    async def handle(self, order: dict[str, Any], ctx: RunnerContext) -> str:
        charge = await self.make_charge(order, ctx)
        await self.pack_all(order, ctx)
        await self.finish(order, ctx)
        return charge

    async def make_charge(self, order: dict[str, Any], ctx: RunnerContext) -> str:
        name = order["id"]
        return await ctx.durable_execute_async(
            self.charge, name, order["amount"], reconciler=lambda: self.find(name)
        )

    async def pack_all(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.gather(
            *(ctx.durable_execute_async(self.pack, item) for item in order["items"][:3])
        )

    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(self.tell, order["id"])

    def sound(self, outputs: list[Any]) -> bool:
        return (
            outputs == ["charge-o-1"]
            and self.charges == {"o-1": 1}
            and self.packed == {"tea": 1, "cup": 1, "pot": 1}
            and set(self.told) == {"o-1"}
        )


# -------------------------------------------------------------------- not the same in each run


class WallClock(Correct):
    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(self.tell, order["id"], time.time())


class DayOfToday(Correct):
    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(self.tell, order["id"], datetime.date.today())


class DeadlineByTheClock(Correct):
    until = 0.0

    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        self.until = self.until or time.monotonic() + 60
        if time.monotonic() < self.until:
            await super().finish(order, ctx)


class RandomNumber(Correct):
    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(self.tell, order["id"], random.random())


class RandomId(Correct):
    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(self.tell, order["id"], str(uuid.uuid4()))


class OrderOfASet(Correct):
    async def pack_all(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        for item in set(order["items"]):
            await ctx.durable_execute_async(self.pack, item)

    def sound(self, outputs: list[Any]) -> bool:
        return True  # only a replay can tell


class OrderOfASetInAGather(Correct):
    async def pack_all(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        items = frozenset(order["items"])
        await asyncio.gather(*[ctx.durable_execute_async(self.pack, item) for item in items])

    def sound(self, outputs: list[Any]) -> bool:
        return True


class AddressInMemory(Correct):
    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(self.tell, order["id"], id(ctx))


class MutableDefault(Correct):
    async def finish(
        self,
        order: dict[str, Any],
        ctx: RunnerContext,
        seen: list[str] = [],  # noqa: B006
    ) -> None:
        seen.append(order["id"])
        await ctx.durable_execute_async(self.tell, order["id"], len(seen))


class CounterOfItsOwn(Correct):
    handled = 0

    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        self.handled += 1
        await ctx.durable_execute_async(self.tell, order["id"], self.handled)


class SkipsWhatItHasDone(Correct):
    done = False

    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        if not self.done:
            self.done = True
            await super().finish(order, ctx)


# -------------------------------------------------------------------- calls lost or doubled


class ForgottenAwait(Correct):
    async def finish(self, order: dict[str, Any], ctx: RunnerContext) -> None:
        ctx.durable_execute_async(self.tell, order["id"])


class EffectOutsideOfACall(Correct):
    async def make_charge(self, order: dict[str, Any], ctx: RunnerContext) -> str:
        return self.charge(order["id"], order["amount"])


class NoReconciler(Correct):
    async def make_charge(self, order: dict[str, Any], ctx: RunnerContext) -> str:
        return await ctx.durable_execute_async(self.charge, order["id"], order["amount"])


class ReconcilerLies(Correct):
    def find(self, order: str) -> Any:
        return NOT_EXECUTED


class ReconcilerForgetsTheResult(Correct):
    def find(self, order: str) -> Any:
        return None if self.charges[order] else NOT_EXECUTED


class ReconcilerCharges(Correct):
    def find(self, order: str) -> Any:
        return self.charge(order, 0)


class KeyReused(Correct):
    def pack(self, item: str, *more: Any) -> str:
        if self.keys.setdefault("o-1", item) == item:  # of the order, and not of the call
            self.packed[item] = 1
        return item


class RetryOfWhatIsNotIdempotent(Correct):
    def charge(self, order: str, amount: int) -> str:
        self.tries += 1
        answer = super().charge(order, amount)
        if self.tries == 1:
            raise ConnectionError("no answer")
        return answer

    async def make_charge(self, order: dict[str, Any], ctx: RunnerContext) -> str:
        name = order["id"]
        return await ctx.durable_execute_async(
            self.charge,
            name,
            order["amount"],
            reconciler=lambda: self.find(name),
            retry=RetryPolicy(max_attempts=2),
        )


class SwallowsOutcomeUnknown(Correct):
    async def make_charge(self, order: dict[str, Any], ctx: RunnerContext) -> str:
        try:
            await ctx.durable_execute_async(
                self.charge, order["id"], order["amount"], in_doubt="raise"
            )
        except OutcomeUnknown:
            await ctx.durable_execute_async(self.charge, order["id"], order["amount"])
        return "charge-o-1"


FAULTS: list[type[Correct]] = [
    WallClock,
    DayOfToday,
    DeadlineByTheClock,
    RandomNumber,
    RandomId,
    OrderOfASet,
    OrderOfASetInAGather,
    AddressInMemory,
    MutableDefault,
    CounterOfItsOwn,
    SkipsWhatItHasDone,
    ForgottenAwait,
    EffectOutsideOfACall,
    NoReconciler,
    ReconcilerLies,
    ReconcilerForgetsTheResult,
    ReconcilerCharges,
    KeyReused,
    RetryOfWhatIsNotIdempotent,
    SwallowsOutcomeUnknown,
]
