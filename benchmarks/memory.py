"""What a job costs that does nothing: heap after many invocations, CPU while many calls wait."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import KEYS, Stock, discard, environment, keyed_numbers, options_of, sync_handler
from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.java_gateway import get_gateway

from pyflink_durable import durable_process

LEVELS = ("checkpoint", "gated", "write-ahead")
FINISHED = KEYS
WAITING = 10_000
SETTLE_SECONDS = 10
IDLE_SECONDS = 10


def never_ending(env: Any) -> Any:
    """A stream that emits nothing and never ends, in steps short enough for checkpoints."""

    def wait(number: int) -> int:
        time.sleep(0.05)
        return number

    source = NumberSequenceSource(0, 10**9)
    return (
        env.from_source(source, WatermarkStrategy.no_watermarks(), "hold", Types.LONG())
        .uid("hold")
        .map(wait, Types.LONG())
        .filter(lambda number: False)
    )


def heap_per_finished_invocation(folder: Path) -> dict[str, float]:
    """Bytes of heap per finished invocation, for the stock and the durable operator."""
    return {
        "stock": _heap(folder / "stock", lambda keyed: keyed.process(Stock(100), Types.LONG())),
        "durable": _heap(
            folder / "durable",
            lambda keyed: durable_process(keyed, sync_handler(100), output_type=Types.LONG()),
        ),
    }


def _heap(counted: Path, operator: Callable[[Any], Any]) -> float:
    env = environment("hashmap")
    seen = 0

    def count(value: int) -> int:
        nonlocal seen
        seen += 1
        if seen == FINISHED:
            counted.touch()
        return value

    before = _used_heap()
    results = operator(keyed_numbers(env, FINISHED)).map(count, Types.LONG())
    discard(results.union(never_ending(env)))
    job = env.execute_async("heap")
    _wait_for(counted, job)
    time.sleep(3)  # two checkpoints more, so that all is written that will be
    after = _used_heap()
    job.cancel().result()
    return (after - before) / FINISHED


def idle_cpu(folder: Path) -> dict[str, float]:
    """CPU seconds per second of an idle stock job, and with 10,000 calls waiting at each level."""

    async def call() -> None:
        await asyncio.sleep(3600)

    async def wait_long(value: Any, ctx: Any) -> int:
        await ctx.durable_execute_async(call, reconciler=lambda: None)
        return 1

    def durable(level: str) -> Callable[[Any], Any]:
        options = options_of(level, WAITING, folder)
        return lambda keyed: durable_process(
            keyed, wait_long, output_type=Types.LONG(), options=options, uid=level
        )

    used = {"stock": _cpu(lambda keyed: keyed.process(Stock(1), Types.LONG()))}
    return used | {level: _cpu(durable(level)) for level in LEVELS}


def _cpu(operator: Callable[[Any], Any]) -> float:
    env = environment("hashmap")
    discard(operator(keyed_numbers(env, WAITING)).union(never_ending(env)))
    job = env.execute_async("idle")
    time.sleep(SETTLE_SECONDS)  # the job starts and takes its input in
    pid = get_gateway().jvm.java.lang.ProcessHandle.current().pid()
    before = _cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    used = (_cpu_seconds(pid) - before) / IDLE_SECONDS
    job.cancel().result()
    return used


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _used_heap() -> int:
    jvm = get_gateway().jvm
    for _ in range(3):
        jvm.java.lang.System.gc()
    runtime = jvm.java.lang.Runtime.getRuntime()
    return int(runtime.totalMemory() - runtime.freeMemory())


def _wait_for(path: Path, job: Any) -> None:
    """Waits until the job has made the file; a job that has failed raises what it failed of."""
    deadline = time.monotonic() + 120
    while not path.exists():
        if job.get_job_status().result().name in ("FAILED", "FINISHED", "CANCELED"):
            job.get_job_execution_result().result()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path.name} did not appear within two minutes")
        time.sleep(0.2)
