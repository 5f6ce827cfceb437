"""A job whose code and data come with it: tells what it finds of them.

An order whose id begins with ``late`` has the handler look at what it has not loaded before; one
that begins with ``fail`` fails the task, once.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rates
from files import read_lines, write_lines
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from pyflink_durable import RunnerContext, durable_process


def parse(line: str) -> Any:
    """By an operator of PyFlink's own, in the same interpreter."""
    return json.loads(line) | {"map": rates.RATE}


def look(order: dict[str, Any], needs: str) -> dict[str, Any]:
    found: dict[str, Any] = {"order": order["id"], "map": order["map"], "handler": rates.RATE}
    if order["id"].startswith("late"):
        from rates import late

        found["late"] = late.RATE
    if needs == "package":
        import fast

        found["package"] = fast.RELEASE
        if order["id"].startswith("late"):
            from fast import late as fast_late

            found["late package"] = fast_late.RELEASE
    if needs == "data":
        found["data"] = Path("tables/rate.txt").read_text()
    return found


def handler(needs: str, once: Path) -> Callable[..., Any]:
    async def handle(order: dict[str, Any], ctx: RunnerContext) -> dict[str, Any]:
        found: dict[str, Any] = await ctx.durable_execute_async(look, order, needs)
        if order["id"].startswith("fail"):
            try:
                os.close(os.open(once, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return found
            raise RuntimeError("made by the test")
        return found

    return handle


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--needs", choices=["package", "data", "nothing"], default="nothing")
    parser.add_argument("--name", default="shipped")
    options = parser.parse_args()

    env = StreamExecutionEnvironment.get_execution_environment()
    orders = read_lines(env, options.orders).map(parse)
    answers = durable_process(
        orders.key_by(lambda order: order["customer"]),
        handler(options.needs, options.orders.parent / "failed"),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        name="orders",
        uid="orders",
    )
    write_lines(answers.map(json.dumps, Types.STRING()), options.output)
    env.execute(options.name)


if __name__ == "__main__":
    main()
