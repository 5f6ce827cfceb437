"""Charges orders and numbers them per customer, so that lost or shuffled state shows."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from files import read_lines, write_lines
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from pyflink_durable import DurableOptions, RunnerContext, durable_process
from pyflink_durable.demo.orders import Order
from pyflink_durable.demo.payments import charge_card, find_or_charge


def numbering(url: str) -> Any:
    async def number(order: Order, ctx: RunnerContext) -> dict[str, Any]:
        count = ctx.state["orders"] = ctx.state.get("orders", 0) + 1
        await ctx.durable_execute_async(
            charge_card, url, order, reconciler=lambda: find_or_charge(url, order)
        )
        return {"order": order["id"], "customer": order["customer"], "number": count}

    return number


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--service", required=True)
    options = parser.parse_args()

    env = StreamExecutionEnvironment.get_execution_environment()
    # One task up to the key: more would shuffle the orders of a customer.
    orders = read_lines(env, options.orders).map(json.loads).set_parallelism(1)
    answers = durable_process(
        orders.key_by(lambda order: order["customer"]),
        numbering(options.service),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        options=DurableOptions(durability="gated"),
        name="orders",
        uid="orders",
    )
    write_lines(answers.map(json.dumps, Types.STRING()), options.output)
    env.execute("numbered")


if __name__ == "__main__":
    main()
