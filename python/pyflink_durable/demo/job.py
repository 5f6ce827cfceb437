"""The demo's job: orders from a file, each charged by a durable handler, answers to a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyflink_durable import DurableOptions, FileCallLog, RunnerContext, durable_process
from pyflink_durable.demo.orders import Order
from pyflink_durable.demo.payments import (
    AnswerLost,
    PaymentError,
    ServiceBusy,
    charge_card,
    find_charge,
    find_or_charge,
    send_receipt,
)
from pyflink_durable.options import Durability

if TYPE_CHECKING:
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment

Handler = Callable[[Order, RunnerContext], Awaitable[dict[str, Any]]]

CHECKPOINT_INTERVAL_MS = 500
# Longer than the service takes for a charge: what was under way at the failure has arrived by the
# time the reconciler asks for it.
_RESTART_DELAY_MS = 1000
_MAX_TRIES = 20


def order_handler(url: str) -> Handler:
    """The handler, for the payment service at `url`."""

    async def handle_order(order: Order, ctx: RunnerContext) -> dict[str, Any]:
        charge = await charge_order(url, order, ctx)
        receipt = await ctx.durable_execute_async(send_receipt, url, order["id"])
        return {"order": order["id"], "charge": charge["id"], "receipt": receipt["id"]}

    return handle_order


async def charge_order(
    url: str,
    order: Order,
    ctx: RunnerContext,
    charge: Callable[[str, Order], dict[str, Any]] = charge_card,
) -> dict[str, Any]:
    """Every try is a durable call of its own, so a restart goes on counting where it was."""
    call = charge
    for _ in range(_MAX_TRIES):
        try:
            return await ctx.durable_execute_async(
                call, url, order, reconciler=lambda: find_charge(url, order)
            )
        except ServiceBusy:
            call = charge
        except AnswerLost:
            call = find_or_charge  # it may have been charged: look before charging again
    raise PaymentError(f"order {order['id']} could not be charged in {_MAX_TRIES} tries")


@dataclass(frozen=True)
class JobFiles:
    """What the job reads and writes; the results directory holds one JSON object a line."""

    orders: Path
    results: Path
    checkpoints: Path
    scratch: Path


def job_configuration(
    files: JobFiles, restarts: int, checkpoint_interval_ms: int = CHECKPOINT_INTERVAL_MS
) -> Configuration:
    """Everything runs in one process, with the Python that runs this, in thread mode."""
    from pyflink.common import Configuration

    settings = {
        "execution.runtime-mode": "STREAMING",
        "execution.checkpointing.interval": f"{checkpoint_interval_ms} ms",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": files.checkpoints.as_uri(),
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": str(restarts),
        "restart-strategy.fixed-delay.delay": f"{_RESTART_DELAY_MS} ms",
        "parallelism.default": "2",
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "io.tmp.dirs": str(files.scratch),
    }
    configuration = Configuration()
    for name, value in settings.items():
        configuration.set_string(name, value)
    return configuration


def options_of(level: Durability, files: JobFiles) -> DurableOptions:
    """A level's options; the write-ahead log is a directory among the job's files."""
    log = FileCallLog(directory=files.scratch / "call-log") if level == "write-ahead" else None
    return DurableOptions(durability=level, call_log=log)


def build_job(
    env: StreamExecutionEnvironment,
    files: JobFiles,
    arrivals: Callable[[str], Order],
    handler: Handler,
    options: DurableOptions,
    write: Callable[[dict[str, Any]], str] = json.dumps,
) -> None:
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.common.serialization import Encoder
    from pyflink.datastream.connectors.file_system import FileSink, FileSource, StreamFormat

    source = FileSource.for_record_stream_format(
        StreamFormat.text_line_format(), str(files.orders)
    ).build()
    sink = FileSink.for_row_format(str(files.results), Encoder.simple_string_encoder()).build()
    # One source task: orders arrive in the order of the file.
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "file").uid("file")
    lines = lines.set_parallelism(1)
    orders = lines.map(arrivals, Types.PICKLED_BYTE_ARRAY()).name("arrivals").set_parallelism(1)
    answers = durable_process(
        orders.key_by(lambda order: order["customer"], Types.STRING()),
        handler,
        output_type=Types.PICKLED_BYTE_ARRAY(),
        options=options,
        name="orders",
        uid="orders",
    )
    answers.map(write, Types.STRING()).name("as JSON").sink_to(sink).uid("answers")


def read_results(results: Path) -> list[dict[str, Any]]:
    """What the sink has committed; files still being written have names with a leading dot."""
    lines: list[str] = []
    for part in sorted(results.rglob("part-*")):
        lines += part.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
