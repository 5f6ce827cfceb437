"""What a job of a test asks of PyFlink and of its JVM."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyflink.common import JobClient
    from pyflink.datastream import DataStream, StreamExecutionEnvironment

DEADLINE_SECONDS = 120.0
_FAILURES = 10  # that a job survives
_NOT_YET = ("CheckpointException", "Not all required tasks are currently running")


def environment(
    checkpoints: Path, parallelism: int, settings: Mapping[str, str]
) -> StreamExecutionEnvironment:
    """An environment for a job in a mini-cluster, see `FlinkMiniCluster.environment`."""
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment

    configuration = Configuration()
    values = {
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "parallelism.default": str(parallelism),
        "execution.checkpointing.interval": "100 ms",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": checkpoints.as_uri(),
        "execution.buffer-timeout.interval": "1 ms",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": str(_FAILURES),
        "restart-strategy.fixed-delay.delay": "10 ms",
    }
    for name, value in (values | dict(settings)).items():
        configuration.set_string(name, value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


@contextmanager
def jvm_for_tests() -> Iterator[None]:
    """The JVM, started if need be so that jobs import the modules of tests."""
    # PyFlink has this process serve each job's Python workers, and never ends the servers
    with _environ("_python_worker_execution_mode", "process"):
        # the Python inside the JVM reads it as it starts
        with _environ("PYTHONPATH", os.pathsep.join(filter(None, sys.path))):
            jvm()
        yield


@contextmanager
def _environ(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def read_lines(env: StreamExecutionEnvironment, folder: Path) -> DataStream:
    """A stream of the lines of files, those to come included."""
    from pyflink.common import Duration, WatermarkStrategy
    from pyflink.datastream.connectors.file_system import FileSource, StreamFormat

    lines = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(folder))
    source = lines.monitor_continuously(Duration.of_millis(50)).build()
    stream = env.from_source(source, WatermarkStrategy.no_watermarks(), "inputs")
    return stream.set_parallelism(1).uid("inputs")


def write_lines(stream: DataStream, folder: Path, uid: str) -> None:
    """Writes strings to files, each visible once the checkpoint behind it is complete."""
    from pyflink.common.serialization import Encoder
    from pyflink.datastream.connectors.file_system import FileSink, RollingPolicy

    sink = FileSink.for_row_format(str(folder), Encoder.simple_string_encoder())
    rolling = sink.with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
    stream.sink_to(rolling.build()).uid(uid)


def cluster_of(client: JobClient) -> Any:
    """The Java object of a job's cluster; a client of PyFlink cannot ask for all that it can."""
    j_client = client._j_job_client
    fields = {field.getName(): field for field in j_client.getClass().getDeclaredFields()}
    fields["miniCluster"].setAccessible(True)
    return fields["miniCluster"].get(j_client)


def jvm() -> Any:
    """That of PyFlink's gateway."""
    from pyflink.java_gateway import get_gateway

    return get_gateway().jvm


def ask(question: Callable[[], Any]) -> Any:
    """Asks Flink for what a Java future gives; again, while tasks are only starting."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    seconds = jvm().java.util.concurrent.TimeUnit.SECONDS
    while True:
        try:
            return question().get(int(DEADLINE_SECONDS), seconds)
        except Exception as error:
            if not any(text in str(error) for text in _NOT_YET) or time.monotonic() > deadline:
                raise
        time.sleep(0.05)
