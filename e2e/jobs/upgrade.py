"""One job in several versions of its handler; `--handler` says which."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from crashkit import World, look_up
from crashkit.calls import stuck_at_first_async
from files import read_lines, write_lines
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from pyflink_durable import DurableOptions, RunnerContext, durable_process


def reserve(world: World, order: str) -> None:
    world.note("run", f"{order}/reserve")


def charge(world: World, order: str) -> None:
    world.note("run", f"{order}/charge")


async def ship(world: World, order: str) -> Any:
    """Hangs in the job that is stopped, so its call is in doubt in the savepoint."""
    return await stuck_at_first_async(world, f"{order}/ship")


def thank(world: World, order: str) -> None:
    world.note("run", f"{order}/thank")


HANDLERS: dict[str, list[Any]] = {
    "original": [reserve, charge, ship],
    "one-more-at-the-end": [reserve, charge, ship, thank],
    "one-less-at-the-end": [reserve, charge],
    "one-less-in-the-middle": [reserve, ship],
    "reordered": [charge, reserve, ship],
}


def handler(world: World, calls: list[Any]) -> Any:
    async def handle(order: dict[str, Any], ctx: RunnerContext) -> dict[str, Any]:
        for call in calls:
            await ctx.durable_execute_async(
                call,
                world,
                order["id"],
                reconciler=lambda call=call: look_up(world, f"{order['id']}/{call.__name__}"),
            )
        return {"order": order["id"]}

    return handle


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--world", required=True)
    parser.add_argument("--handler", choices=HANDLERS, required=True)
    parser.add_argument("--on-mismatch", choices=["protect", "clear", "fail"], default="clear")
    parser.add_argument("--durability", default="checkpoint")
    options = parser.parse_args()

    env = StreamExecutionEnvironment.get_execution_environment()
    orders = read_lines(env, options.orders).map(json.loads)
    answers = durable_process(
        orders.key_by(lambda order: order["customer"]),
        handler(World(options.world), HANDLERS[options.handler]),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        options=DurableOptions(on_mismatch=options.on_mismatch, durability=options.durability),
        name="orders",
        uid="orders",
    )
    write_lines(answers.map(json.dumps, Types.STRING()), options.output)
    env.execute("upgrade")


if __name__ == "__main__":
    main()
