"""The jobs that are measured: source -> map -> keyBy -> operator -> discard, in one JVM."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.java_gateway import get_gateway

from pyflink_durable import (
    DurableCall,
    DurableOptions,
    DurableProcessFunction,
    FileCallLog,
    RunnerContext,
    durable_process,
)
from pyflink_durable.tracing import Tracing

KEYS = 100_000
BATCH = 100
TIMED = 16
"""One call of so many is timed: timing each would be a twentieth of what is measured."""


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


def durable_batch_handler(size: int) -> Callable[..., Any]:
    async def handle(value: Any, ctx: RunnerContext) -> int:
        calls = [DurableCall(call_coroutine, (value[1] + i, size)) for i in range(BATCH)]
        return sum(map(len, (await ctx.durable_execute_all_async(calls)).values()))

    return handle


class Reconciled(DurableProcessFunction):
    """One call with a reconciler, which at the stronger levels waits before it starts.

    Attributes:
        latencies: Where `close` writes the calls' latencies in milliseconds.
    """

    def __init__(self, size: int, latencies: Path) -> None:
        self._size = size
        self._latencies = latencies

    def open(self, runtime_context: Any) -> None:
        self._seen: list[float] = []

    async def process(self, value: Any, ctx: RunnerContext) -> int:
        if value[1] % TIMED == 0:
            return await self._process_timed(value, ctx)
        return len(await self._call(value, ctx))

    async def _process_timed(self, value: Any, ctx: RunnerContext) -> int:
        started = time.perf_counter()
        answer = await self._call(value, ctx)
        self._seen.append((time.perf_counter() - started) * 1000)
        return len(answer)

    def _call(self, value: Any, ctx: RunnerContext) -> Awaitable[bytes]:
        return ctx.durable_execute_async(
            call_coroutine, value[1], self._size, reconciler=lambda: b""
        )

    def close(self) -> None:
        self._latencies.write_text(json.dumps(sorted(self._seen)))


@dataclass(frozen=True)
class Case:
    """What is measured, and the limit the design sets for it.

    Attributes:
        name: Shown in the table.
        handler: Makes the handler for a payload size in bytes; None for the stock operator, and for
            a case with a level, whose handler makes a call with a reconciler.
        calls: Durable calls per element.
        elements: Elements of a run at scale 1.
        limit: Highest ratio to the stock operator, per call; None if the design sets none.
        level: The durability.
        in_flight: How many invocations run at a time.
        interval: Between checkpoints.
        least: Fewest calls per second that the design asks for; 0 if it asks for none.
        keys: How many keys the elements have; no more of them run at a time.
        options: Makes further options of the operator.
    """

    name: str
    handler: Callable[[int], Callable[..., Any]] | None
    calls: int
    elements: int
    limit: float | None
    level: str | None = None
    in_flight: int = 1_000
    interval: str = "1s"
    least: int = 0
    keys: int = KEYS
    options: Callable[[], dict[str, Any]] = dict


def counted() -> dict[str, Any]:
    return {"call_metrics": True}


def no_provider() -> Any:
    """Spans that are made, and go nowhere."""
    from opentelemetry.sdk.trace import TracerProvider

    return TracerProvider()


def traced(sample: float) -> dict[str, Any]:
    return {"tracing": Tracing(no_provider, sample=sample)}


STOCK = Case("stock", None, 1, 200_000, None)
CASES = (
    Case("sync", sync_handler, 1, 150_000, 1.2),
    Case("pool", pool_handler, 1, 80_000, 1.5),
    Case("coroutine", coroutine_handler, 1, 100_000, 1.5),
    Case("call-metrics", coroutine_handler, 1, 100_000, None, options=counted),
    Case("tracing", coroutine_handler, 1, 60_000, None, options=lambda: traced(1)),
    Case("tracing-1%", coroutine_handler, 1, 80_000, None, options=lambda: traced(0.01)),
    Case("def", def_handler, 1, 80_000, None),
    Case("batch-100", batch_handler, BATCH, 1_500, 0.6),
    Case("batches-100-keys", durable_batch_handler, BATCH, 1_500, None, keys=100),
    Case("reconciled", None, 1, 100_000, None, "checkpoint", 10_000, "200ms"),
    Case("gated", None, 1, 200_000, 1.7, "gated", 10_000, "200ms"),
    Case("write-ahead", None, 1, 60_000, None, "write-ahead", 1_000, "1s", 5_000),
)


def environment(
    backend: str, interval: str = "1s", settings: Mapping[str, str] | None = None
) -> StreamExecutionEnvironment:
    """A mini-cluster job's environment: one subtask, checkpoints at an interval."""
    configuration = Configuration()
    for name, value in {
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "execution.checkpointing.interval": interval,
        "state.backend.type": backend,
        "restart-strategy.type": "none",
        "parallelism.default": "1",
        **(settings or {}),
    }.items():
        configuration.set_string(name, value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


def keyed_numbers(env: StreamExecutionEnvironment, elements: int, keys: int = KEYS) -> Any:
    """Pairs (key, number), keyed."""
    pair = Types.TUPLE([Types.LONG(), Types.LONG()])
    numbers = env.from_source(
        NumberSequenceSource(0, elements - 1),
        WatermarkStrategy.no_watermarks(),
        "numbers",
        Types.LONG(),
    ).uid("numbers")
    pairs = numbers.map(lambda number: (number % keys, number), pair)
    return pairs.key_by(lambda value: value[0], Types.LONG())


def discard(stream: Any) -> None:
    """A sink that keeps nothing."""
    sinks = get_gateway().jvm.org.apache.flink.streaming.api.functions.sink.v2
    stream._j_data_stream.sinkTo(sinks.DiscardingSink())


@dataclass(frozen=True)
class Run:
    """What one run of a case took.

    Attributes:
        seconds: Flink's net run time.
        latencies: Of the calls, in milliseconds, sorted; empty where they are not measured.
    """

    seconds: float
    latencies: list[float]

    def percentile(self, percent: float) -> float | None:
        """The latency that this part of the calls did not exceed."""
        if not self.latencies:
            return None
        return self.latencies[
            min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))
        ]


def run_job(case: Case, backend: str, size: int, elements: int) -> Run:
    """Runs a case."""
    with tempfile.TemporaryDirectory() as folder:
        # the JobManager's memory takes 5 MB of a task's state, which results of 10 kB exceed
        storage = {
            "execution.checkpointing.storage": "filesystem",
            "execution.checkpointing.dir": Path(folder, "checkpoints").as_uri(),
        }
        env = environment(backend, case.interval, storage)
        keyed = keyed_numbers(env, elements, case.keys)
        latencies = Path(folder, "latencies.json")
        if case.level is not None:
            options = options_of(case.level, case.in_flight, Path(folder))
            handler: Any = Reconciled(size, latencies)
            results = durable_process(
                keyed, handler, output_type=Types.LONG(), options=options, uid=case.name
            )
        elif case.handler is not None:
            options = DurableOptions(**case.options())
            handler = case.handler(size)
            results = durable_process(
                keyed, handler, output_type=Types.LONG(), options=options, uid=case.name
            )
        else:
            results = keyed.process(Stock(size), Types.LONG())
        discard(results)
        seconds = float(env.execute(case.name).get_net_runtime()) / 1000
        return Run(seconds, json.loads(latencies.read_text()) if case.level else [])


def options_of(level: Any, in_flight: int, folder: Path) -> DurableOptions:
    """The options of a level; its log, if it has one, is in the folder."""
    log = FileCallLog(directory=folder) if level == "write-ahead" else None
    return DurableOptions(durability=level, call_log=log, max_in_flight=in_flight)
