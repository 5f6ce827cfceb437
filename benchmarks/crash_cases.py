"""How many crash cases of a handler the testing kit runs in a second of one core.

CPU time of the process, so that a busy machine counts less. The handler makes three calls of
ordinary functions, and of coroutine functions; each case is a run with its crash, and the runs of
all levels with up to two crashes are counted.

    python benchmarks/crash_cases.py [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any, get_args

from pyflink_durable import RunnerContext
from pyflink_durable.options import Durability
from pyflink_durable.testing import Case, Durable, crash_points

ROUNDS = 3
SECONDS_PER_ROUND = 1.0
ORDER = {"id": "o-1", "amount": 5.0}


def reserve(order: str) -> str:
    return f"reserved {order}"


def charge(order: str, amount: float) -> str:
    return f"charged {amount} for {order}"


def ship(order: str) -> str:
    return f"shipped {order}"


async def reserve_soon(order: str) -> str:
    return reserve(order)


async def charge_soon(order: str, amount: float) -> str:
    return charge(order, amount)


async def ship_soon(order: str) -> str:
    return ship(order)


async def on_threads(order: dict[str, Any], ctx: RunnerContext) -> str:
    await ctx.durable_execute_async(reserve, order["id"])
    await ctx.durable_execute_async(charge, order["id"], order["amount"])
    return str(await ctx.durable_execute_async(ship, order["id"]))


async def as_coroutines(order: dict[str, Any], ctx: RunnerContext) -> str:
    await ctx.durable_execute_async(reserve_soon, order["id"])
    await ctx.durable_execute_async(charge_soon, order["id"], order["amount"])
    return str(await ctx.durable_execute_async(ship_soon, order["id"]))


async def the_day_after(order: dict[str, Any], ctx: RunnerContext) -> str:
    await ctx.durable_execute_async(charge, order["id"], order["amount"])
    await ctx.sleep(86_400)
    return str(await ctx.durable_execute_async(ship, order["id"]))


def explore(handler: Callable[..., Any], crashes: int) -> int:
    """Runs all cases; tells how many there were."""
    count = 0

    @crash_points(handler, [ORDER], levels=get_args(Durability), crashes=crashes)
    def every_case(case: Case) -> None:
        nonlocal count
        count += 1
        assert case.run().outputs == ["shipped o-1"]

    every_case()
    return count


def cases_per_second(handler: Callable[..., Any], crashes: int) -> float:
    """The best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        began, count = time.process_time(), 0
        while time.process_time() - began < SECONDS_PER_ROUND:
            count += explore(handler, crashes)
        best = max(best, count / (time.process_time() - began))
    return best


def milliseconds_of_a_day() -> float:
    """A run with a sleep of a day; the best of many."""
    durable, best = Durable(), float("inf")
    for _ in range(200):
        began = time.process_time()
        assert durable.run(the_day_after, ORDER).outputs == ["shipped o-1"]
        best = min(best, time.process_time() - began)
    durable.close()
    return best * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    if parser.parse_args().profile:
        with cProfile.Profile() as profile:
            explore(on_threads, 2)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    print(f"{'handler of three calls':<24}{'crashes':>8}{'cases':>8}{'cases/s':>10}")
    for handler in (on_threads, as_coroutines):
        for crashes in (1, 2):
            count, rate = explore(handler, crashes), cases_per_second(handler, crashes)
            print(f"{handler.__name__:<24}{crashes:>8}{count:>8}{rate:>10,.0f}")
    print(f"a run with a sleep of a day: {milliseconds_of_a_day():.2f} ms")


if __name__ == "__main__":
    main()
