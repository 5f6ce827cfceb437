"""Charges orders with a durable handler, on any Flink cluster.

    python -m pyflink_durable.demo.service --db payments.db --port 8321     # a service to charge at
    flink run -py examples/orders.py --orders FILE

FILE has one order a line, as in examples/orders.ndjson: {"id": ..., "customer": ..., "amount": ...}
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import Encoder
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink, FileSource, StreamFormat

from pyflink_durable import NOT_EXECUTED, RunnerContext, durable_process

SERVICE = "http://127.0.0.1:8321"
TRIES = 10


def charge_card(service: str, order_id: str, amount: float) -> Any:
    """An ordinary blocking function; it runs on a thread and never holds the operator."""
    body = json.dumps({"order": order_id, "amount": amount}).encode()
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(f"{service}/charges", data=body, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            if problem.code < 500:
                raise RuntimeError(f"order {order_id}: {problem}") from None
            # 503 says that nothing was charged; any other failure leaves that open.
            charge = NOT_EXECUTED if problem.code == 503 else find_charge(service, order_id)
        if charge is not NOT_EXECUTED:
            return charge
        time.sleep(0.1)
    raise RuntimeError(f"order {order_id}: refused {TRIES} times")


def find_charge(service: str, order_id: str) -> Any:
    """What became of a charge; if nothing did, the call is to run after all."""
    query = urllib.parse.urlencode({"order": order_id})
    with urllib.request.urlopen(f"{service}/charges?{query}", timeout=10) as answer:
        charges = json.load(answer)
    return charges[0] if charges else NOT_EXECUTED


def order_handler(service: str) -> Any:
    async def handle_order(order: dict[str, Any], ctx: RunnerContext) -> dict[str, Any]:
        charge = await ctx.durable_execute_async(
            charge_card,
            service,
            order["id"],
            order["amount"],
            # asked only when a crash left the call in doubt
            reconciler=lambda: find_charge(service, order["id"]),
        )
        return {"order": order["id"], "charge": charge["id"]}

    return handle_order


def main() -> None:
    parser = argparse.ArgumentParser(description="Charges orders with a durable handler.")
    parser.add_argument("--orders", type=Path, required=True, help="one JSON object a line")
    parser.add_argument("--output", type=Path, help="directory of the answers; default: the log")
    parser.add_argument("--service", default=SERVICE, help=f"payment service; default {SERVICE}")
    options = parser.parse_args()
    check_service(options.service)

    env = StreamExecutionEnvironment.get_execution_environment()
    env.enable_checkpointing(1000)
    source = FileSource.for_record_stream_format(
        StreamFormat.text_line_format(), str(options.orders.resolve())
    ).build()
    orders = env.from_source(source, WatermarkStrategy.no_watermarks(), "orders file").map(
        json.loads
    )
    results = durable_process(
        orders.key_by(lambda order: order["customer"]),
        order_handler(options.service),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        name="orders",
        uid="orders",
    ).map(json.dumps, Types.STRING())
    if options.output:
        target = str(options.output.resolve())
        results.sink_to(FileSink.for_row_format(target, Encoder.simple_string_encoder()).build())
    else:
        results.print()
    env.execute("orders")


def check_service(service: str) -> None:
    """Tells a missing service now, in one line, rather than by a job that keeps restarting."""
    try:
        urllib.request.urlopen(f"{service}/stats", timeout=10).close()
    except OSError as problem:
        sys.exit(
            f"no payment service at {service} ({problem}); start one:\n"
            "python -m pyflink_durable.demo.service --db payments.db --port 8321"
        )


if __name__ == "__main__":
    main()
