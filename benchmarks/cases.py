"""The jobs that are measured: source -> map -> keyBy -> operator -> discard, in one JVM."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.java_gateway import get_gateway

from pyflink_durable import durable_process

KEYS = 100_000
BATCH = 100


def call(number: int, size: int) -> bytes:
    """The outside call: takes no time, so that what remains is the price of durability."""
    return b"x" * size


async def call_coroutine(number: int, size: int) -> bytes:
    return b"x" * size


class Stock(KeyedProcessFunction):  # type: ignore[misc]
    """PyFlink's own operator, with the work of the call done in place."""

    def __init__(self, size: int) -> None:
        self._size = size

    def process_element(self, value: Any, ctx: Any) -> Any:
        yield len(call(value[1], self._size))


def sync_handler(size: int) -> Callable[..., Any]:
    async def handle(value: Any, ctx: Any) -> int:
        return len(ctx.durable_execute(call, value[1], size))

    return handle


def pool_handler(size: int) -> Callable[..., Any]:
    async def handle(value: Any, ctx: Any) -> int:
        return len(await ctx.durable_execute_async(call, value[1], size))

    return handle


def coroutine_handler(size: int) -> Callable[..., Any]:
    async def handle(value: Any, ctx: Any) -> int:
        return len(await ctx.durable_execute_async(call_coroutine, value[1], size))

    return handle


def def_handler(size: int) -> Callable[..., Any]:
    def handle(value: Any, ctx: Any) -> int:
        return len(ctx.durable_execute(call, value[1], size))

    return handle


def batch_handler(size: int) -> Callable[..., Any]:
    async def handle(value: Any, ctx: Any) -> int:
        calls = (
            ctx.durable_execute_async(call_coroutine, value[1] + i, size) for i in range(BATCH)
        )
        return sum(map(len, await asyncio.gather(*calls)))

    return handle


@dataclass(frozen=True)
class Case:
    """What is measured, and the limit the design sets for it.

    Attributes:
        name: Shown in the table.
        handler: Makes the handler for a payload size in bytes; None for the stock operator.
        calls: Durable calls per element.
        elements: Elements of a run at scale 1.
        limit: Highest ratio to the stock operator, per call; None if the design sets none.
    """

    name: str
    handler: Callable[[int], Callable[..., Any]] | None
    calls: int
    elements: int
    limit: float | None


CASES = (
    Case("stock", None, 1, 200_000, None),
    Case("sync", sync_handler, 1, 150_000, 1.4),
    Case("pool", pool_handler, 1, 80_000, 2.6),
    Case("coroutine", coroutine_handler, 1, 100_000, 2.0),
    Case("def", def_handler, 1, 80_000, None),
    Case("batch-100", batch_handler, BATCH, 1_500, 0.7),
)


def environment(backend: str) -> StreamExecutionEnvironment:
    """A mini-cluster job's environment: one subtask, checkpoints every second."""
    configuration = Configuration()
    for name, value in {
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "execution.checkpointing.interval": "1s",
        "state.backend.type": backend,
        "restart-strategy.type": "none",
        "parallelism.default": "1",
    }.items():
        configuration.set_string(name, value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


def keyed_numbers(env: StreamExecutionEnvironment, elements: int) -> Any:
    """Pairs (key, number), keyed."""
    pair = Types.TUPLE([Types.LONG(), Types.LONG()])
    numbers = env.from_source(
        NumberSequenceSource(0, elements - 1),
        WatermarkStrategy.no_watermarks(),
        "numbers",
        Types.LONG(),
    )
    pairs = numbers.map(lambda number: (number % KEYS, number), pair)
    return pairs.key_by(lambda value: value[0], Types.LONG())


def discard(stream: Any) -> None:
    """A sink that keeps nothing."""
    sinks = get_gateway().jvm.org.apache.flink.streaming.api.functions.sink.v2
    stream._j_data_stream.sinkTo(sinks.DiscardingSink())


def run_job(case: Case, backend: str, size: int, elements: int) -> float:
    """Runs a case and gives Flink's net run time in seconds."""
    env = environment(backend)
    keyed = keyed_numbers(env, elements)
    if case.handler is None:
        results = keyed.process(Stock(size), Types.LONG())
    else:
        results = durable_process(keyed, case.handler(size), output_type=Types.LONG())
    discard(results)
    return float(env.execute(case.name).get_net_runtime()) / 1000
