"""Charges orders with a durable handler, on any Flink cluster.

    python -m pyflink_durable.demo.service --db payments.db --port 8321     # a service to charge at
    flink run -py examples/orders.py --orders FILE

FILE has one order a line, as in examples/orders.ndjson: {"id": ..., "customer": ..., "amount": ...}
With --follow it is a directory, and files that come later are read too. With --kafka orders come
from the topic orders and answers go to the topic answers, exactly once; the cluster needs
flink-sql-connector-kafka in its lib folder then.
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

from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.common.serialization import Encoder, SimpleStringSchema
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.file_system import (
    FileSink,
    FileSource,
    RollingPolicy,
    StreamFormat,
)
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)

from pyflink_durable import (
    NOT_EXECUTED,
    DurableOptions,
    FileCallLog,
    KafkaCallLog,
    RunnerContext,
    durable_process,
)

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


def blocking_order_handler(service: str) -> Any:
    """The same without `async`: each order that is under way has a thread."""

    def handle_order(order: dict[str, Any], ctx: RunnerContext) -> dict[str, Any]:
        charge = ctx.durable_execute(
            charge_card,
            service,
            order["id"],
            order["amount"],
            reconciler=lambda: find_charge(service, order["id"]),
        )
        return {"order": order["id"], "charge": charge["id"]}

    return handle_order


HANDLERS = {"async": order_handler, "def": blocking_order_handler}


def main() -> None:
    options = parser().parse_args()
    check_service(options.service)
    env = StreamExecutionEnvironment.get_execution_environment()
    if not env.get_checkpoint_config().is_checkpointing_enabled():
        env.enable_checkpointing(1000)
    lines = kafka_lines(env, options.kafka) if options.kafka else file_lines(env, options)
    orders = lines.map(json.loads)
    answers = durable_process(
        orders.key_by(lambda order: order["customer"]),
        HANDLERS[options.handler](options.service),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        options=DurableOptions(
            durability=options.durability,
            call_log=call_log(options),
            # two partitions of a topic give a customer's orders in an order of their own each time
            invocation_id=lambda order: order["id"],
            call_threads=64,
        ),
        name="orders",
        uid="orders",
    ).map(json.dumps, Types.STRING())
    if options.kafka:
        write_to_kafka(answers, options.kafka)
    elif options.output:
        write_to_files(answers, options.output)
    else:
        answers.print()
    env.execute("orders")


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description="Charges orders with a durable handler.")
    source = found.add_mutually_exclusive_group(required=True)
    source.add_argument("--orders", type=Path, help="one JSON object a line")
    source.add_argument("--kafka", metavar="HOST:PORT", help="topics of this broker")
    found.add_argument("--follow", action="store_true", help="--orders is a directory that grows")
    found.add_argument("--output", type=Path, help="directory of the answers; default: the log")
    found.add_argument("--service", default=SERVICE, help=f"payment service; default {SERVICE}")
    found.add_argument("--handler", choices=HANDLERS, default="async", help="default: async")
    found.add_argument("--durability", default="checkpoint", help="default: checkpoint")
    log = found.add_mutually_exclusive_group()
    log.add_argument("--log-directory", type=Path, help="for write-ahead: the call log, in files")
    log.add_argument("--log-kafka", metavar="HOST:PORT", help="for write-ahead: in a topic")
    return found


def call_log(options: argparse.Namespace) -> FileCallLog | KafkaCallLog | None:
    if options.log_directory:
        return FileCallLog(directory=options.log_directory.resolve())
    if options.log_kafka:
        return KafkaCallLog(bootstrap_servers=options.log_kafka)
    return None


def file_lines(env: StreamExecutionEnvironment, options: argparse.Namespace) -> DataStream:
    source = FileSource.for_record_stream_format(
        StreamFormat.text_line_format(), str(options.orders.resolve())
    )
    if options.follow:
        source.monitor_continuously(Duration.of_millis(500))
    lines = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "orders file")
    return lines.uid("orders-file")


def kafka_lines(env: StreamExecutionEnvironment, bootstrap: str) -> DataStream:
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(bootstrap)
        .set_topics("orders")
        .set_group_id("orders")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "orders topic")
    return lines.uid("orders-topic")


def write_to_files(answers: DataStream, folder: Path) -> None:
    encoder = Encoder.simple_string_encoder()
    sink = FileSink.for_row_format(str(folder.resolve()), encoder).with_rolling_policy(
        RollingPolicy.on_checkpoint_rolling_policy()
    )
    answers.sink_to(sink.build()).uid("answers-files")


def write_to_kafka(answers: DataStream, bootstrap: str) -> None:
    records = (
        KafkaRecordSerializationSchema.builder()
        .set_topic("answers")
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(bootstrap)
        .set_record_serializer(records)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix("orders")
        # as long as a job may be down: an older transaction is gone, and answers with it
        .set_property("transaction.timeout.ms", "600000")
    )
    answers.sink_to(sink.build()).uid("answers-topic")


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
