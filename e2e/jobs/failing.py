"""A job that fails again and again, each time with calls in flight."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

from pyflink_durable import DurableProcessFunction, RunnerContext, durable_process

INPUTS_PER_ATTEMPT = 40
KEYS = 50


def blocking(number: int) -> int:
    time.sleep(0.01)
    return number


async def waiting(number: int) -> int:
    await asyncio.sleep(0.5)
    return number


class Failing(DurableProcessFunction):
    """Fails its task at the same place in each attempt."""

    def open(self, context: RuntimeContext) -> None:
        self._inputs = 0

    async def process(self, number: int, ctx: RunnerContext) -> int:
        self._inputs += 1
        if self._inputs > INPUTS_PER_ATTEMPT:
            raise RuntimeError("made by the test")
        await ctx.durable_execute_async(blocking, number)
        await ctx.durable_execute_async(waiting, number)
        return number


def paced(number: Any) -> Any:
    time.sleep(0.005)
    return number


def main() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    source = NumberSequenceSource(0, 2**60)
    numbers = env.from_source(source, WatermarkStrategy.no_watermarks(), "numbers", Types.LONG())
    durable_process(
        numbers.map(paced, Types.LONG()).key_by(lambda number: number % KEYS, Types.LONG()),
        Failing(),
        output_type=Types.LONG(),
        name="failing",
        uid="failing",
    ).map(lambda number: number, Types.LONG())
    env.execute("failing")


if __name__ == "__main__":
    main()
