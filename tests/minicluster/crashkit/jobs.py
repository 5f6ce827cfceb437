"""Builds jobs on Flink's mini-cluster and runs them to their end, or to a deadline."""

from __future__ import annotations

import sys
import time
from typing import Any

from pyflink.common import Configuration, JobClient, Types
from pyflink.common.serialization import Encoder
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink, RollingPolicy
from pyflink.java_gateway import get_gateway

from crashkit.world import World
from pyflink_durable import durable_process

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


def durable(inputs: DataStream, handler: Any, **options: Any) -> DataStream:
    """A durable operator from strings to strings, in which each input is a key of its own.

    Args:
        inputs: What `scripted` gives.
        handler: The handler under test.
        **options: Of `durable_process`; also `key` and `key_type` for another key.
    """
    key = options.pop("key", lambda value: value)
    key_type = options.pop("key_type", Types.STRING())
    options = {"name": "durable", "output_type": Types.STRING()} | options
    options.setdefault("uid", options["name"])
    return durable_process(inputs.key_by(key, key_type), handler, **options)


def write_outputs(stream: DataStream, world: World, name: str = "results") -> None:
    """Writes strings to files, each visible once the checkpoint behind it is complete.

    Args:
        stream: What to write.
        world: Where to.
        name: By which `World.outputs` finds them.
    """
    sink = (
        FileSink.for_row_format(str(world.folder_of(name)), Encoder.simple_string_encoder())
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .build()
    )
    stream.sink_to(sink).uid(f"write-{name}")


def start(env: StreamExecutionEnvironment) -> JobClient:
    return env.execute_async("under test")


def run(env: StreamExecutionEnvironment) -> None:
    """Runs a bounded job to its end.

    Raises:
        JobFailed: It failed, or was not done in time and is cancelled.
    """
    client = start(env)
    result = client.get_job_execution_result()
    if not _is_done(result):
        cancel(client)
        raise JobFailed(f"the job was not done after {_JOB_SECONDS} s")
    failure = _failure_of(result)
    if failure is not None:
        raise JobFailed(failure)


def cancel(client: JobClient) -> None:
    """Cancels a job and waits until it has ended."""
    result = client.get_job_execution_result()
    client.cancel().result()
    if not _is_done(result):
        raise JobFailed(f"the job was still there {_JOB_SECONDS} s after it was cancelled")
    if "was cancelled" not in (failure := _failure_of(result) or "it has finished"):
        raise JobFailed(f"the job ended before it was cancelled: {failure}")


def stop_with_savepoint(client: JobClient, world: World) -> str:
    """Stops a job without draining it and gives the path of the savepoint.

    By way of Java, since the method of PyFlink 2 passes too few arguments.
    """
    canonical = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
    folder = world.folder_of("savepoints").as_uri()
    result = client.get_job_execution_result()
    path = client._j_job_client.stopWithSavepoint(False, folder, canonical).get()
    if not _is_done(result) or _failure_of(result) is not None:
        raise JobFailed("the job did not finish after its savepoint")
    return str(path)


def _is_done(future: Any) -> bool:
    deadline = time.monotonic() + _JOB_SECONDS
    while not future.done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _failure_of(future: Any) -> str | None:
    """What a future of Flink's client failed with, without Java's stack frames."""
    try:
        future.result()
    except Exception as error:
        lines = str(error).splitlines()
        return "\n".join(line for line in lines if not line.strip().startswith(("at ", "... ")))
    return None
