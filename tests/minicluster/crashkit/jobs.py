"""Builds jobs on Flink's mini-cluster and runs them to their end, or to a deadline."""

from __future__ import annotations

import sys
import time
from typing import Any

from crashkit.world import World
from pyflink.common import Configuration, JobClient
from pyflink.common.serialization import Encoder
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink, RollingPolicy

_JOB_SECONDS = 45.0


class JobFailed(AssertionError):
    """A job failed for good; the text is Flink's chain of causes."""


def environment(
    world: World, *, restarts: int = 0, parallelism: int = 1, **settings: str
) -> StreamExecutionEnvironment:
    """An environment that takes a checkpoint every 100 ms and restarts only so many times.

    Args:
        world: Where checkpoints go.
        restarts: How many failures the job survives.
        parallelism: Of all operators that do not set their own.
        **settings: Flink options, with `__` in place of a dot and `_` in place of a dash.
    """
    values = {
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "parallelism.default": str(parallelism),
        "execution.checkpointing.interval": "100 ms",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": world.checkpoints.as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.buffer-timeout.interval": "1 ms",
        "restart-strategy.type": "fixed-delay" if restarts else "none",
        "restart-strategy.fixed-delay.attempts": str(restarts),
        "restart-strategy.fixed-delay.delay": "10 ms",
    }
    values |= {name.replace("__", ".").replace("_", "-"): v for name, v in settings.items()}
    configuration = Configuration()
    for name, value in values.items():
        configuration.set_string(name, value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


def write_outputs(stream: DataStream, world: World) -> None:
    """Writes strings to files, each visible once the checkpoint behind it is complete."""
    sink = (
        FileSink.for_row_format(str(world.results), Encoder.simple_string_encoder())
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .build()
    )
    stream.sink_to(sink).uid("results")


def start(env: StreamExecutionEnvironment) -> JobClient:
    return env.execute_async("under test")


def run(env: StreamExecutionEnvironment) -> None:
    """Runs a bounded job to its end.

    Raises:
        JobFailed: It failed, or was not done in time and is cancelled.
    """
    client = start(env)
    result = client.get_job_execution_result()
    deadline = time.monotonic() + _JOB_SECONDS
    while not result.done():
        if time.monotonic() > deadline:
            client.cancel().result()
            raise JobFailed(f"the job was not done after {_JOB_SECONDS} s")
        time.sleep(0.02)
    result_of(result)


def result_of(future: Any) -> Any:
    """What a future of Flink's client gives; its failure without Java's stack frames."""
    try:
        return future.result()
    except Exception as error:
        lines = str(error).splitlines()
        frames = ("at ", "... ")
        causes = [line for line in lines if not line.strip().startswith(frames)]
        raise JobFailed("\n".join(causes)) from None
