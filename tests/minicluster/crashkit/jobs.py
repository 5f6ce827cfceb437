"""Builds jobs on Flink's mini-cluster and runs them to their end, or to a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pyflink.common import JobClient, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from crashkit.world import World
from pyflink_durable import durable_process
from pyflink_durable.testing import flink

_JOB_SECONDS = 45.0
_TASKS_ARE_STARTING = "Not all required tasks are currently running"


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
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "restart-strategy.type": "fixed-delay" if restarts else "none",
        "restart-strategy.fixed-delay.attempts": str(restarts),
    }
    values |= {name.replace("__", ".").replace("_", "-"): v for name, v in settings.items()}
    return flink.environment(world.checkpoints, parallelism, values)


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
    flink.write_lines(stream, world.folder_of(name), f"write-{name}")


def start(env: StreamExecutionEnvironment) -> JobClient:
    return env.execute_async("under test")


def run(env: StreamExecutionEnvironment, seconds: float = _JOB_SECONDS) -> None:
    """Runs a bounded job to its end.

    Args:
        env: The job.
        seconds: Until when; PyFlink's workers of process mode alone may take half a minute.

    Raises:
        JobFailed: It failed, or was not done in time and is cancelled.
    """
    finish(start(env), seconds)


def finish(client: JobClient, seconds: float = _JOB_SECONDS) -> None:
    """Waits for the end of a bounded job.

    Raises:
        JobFailed: It failed, or was not done in time and is cancelled.
    """
    result = client.get_job_execution_result()
    if not _is_done(result, seconds):
        cancel(client)
        raise JobFailed(f"the job was not done after {seconds} s")
    failure = _failure_of(result)
    if failure is not None:
        raise JobFailed(failure)


def check(client: JobClient) -> None:
    """Raises if a job that is to go on has ended.

    Raises:
        JobFailed: It has; the text says of what.
    """
    result = client.get_job_execution_result()
    if result.done():
        raise JobFailed(_failure_of(result) or "the job has finished")


def cancel(client: JobClient) -> None:
    """Cancels a job and waits until it has ended."""
    result = client.get_job_execution_result()
    client.cancel().result()
    if not _is_done(result):
        raise JobFailed(f"the job was still there {_JOB_SECONDS} s after it was cancelled")
    if "was cancelled" not in (failure := _failure_of(result) or "it has finished"):
        raise JobFailed(f"the job ended before it was cancelled: {failure}")


def take_checkpoint(client: JobClient) -> None:
    """Takes a checkpoint now and waits until it is complete; waits for a job that is starting.

    By way of the mini-cluster itself, since a client of PyFlink cannot ask for one.
    """
    cluster = flink.cluster_of(client)
    kind = get_gateway().jvm.org.apache.flink.core.execution.CheckpointType.CONFIGURED
    job = client.get_job_id()._j_job_id
    _ask_again_on("CheckpointException", lambda: cluster.triggerCheckpoint(job, kind))


def _ask_again_on(trouble: str, ask: Callable[[], Any]) -> Any:
    """Asks Flink until the answer is no error of this kind, such as tasks that do not run yet.

    Args:
        trouble: What the text of such an error contains.
        ask: Gives a Java future.
    """
    deadline = time.monotonic() + _JOB_SECONDS
    seconds = get_gateway().jvm.java.util.concurrent.TimeUnit.SECONDS
    while True:
        try:
            return ask().get(int(_JOB_SECONDS), seconds)
        except Exception as error:
            failure = JobFailed(_without_frames(error))
            if trouble not in str(error) or time.monotonic() > deadline:
                raise failure from error
        time.sleep(0.05)


def last_failure(client: JobClient) -> str:
    """What the job has last been restarted for."""
    graph = flink.cluster_of(client).getExecutionGraph(client.get_job_id()._j_job_id).get()
    return str(graph.getFailureInfo().getExceptionAsString())


def failed_checkpoints(client: JobClient) -> int:
    """How many checkpoints of a job were aborted."""
    graph = flink.cluster_of(client).getExecutionGraph(client.get_job_id()._j_job_id).get()
    return int(graph.getCheckpointStatsSnapshot().getCounts().getNumberOfFailedCheckpoints())


def finished_subtasks(client: JobClient, operator: str) -> int:
    """How many subtasks of an operator have finished while its job goes on."""
    graph = flink.cluster_of(client).getExecutionGraph(client.get_job_id()._j_job_id).get()
    vertices = graph.getAllVertices().values()
    tasks = [
        task for one in vertices if operator in one.getName() for task in one.getTaskVertices()
    ]
    return sum(str(task.getExecutionState()) == "FINISHED" for task in tasks)


def rest_address(client: JobClient) -> str:
    """Where the mini-cluster of a job answers as a JobManager does: a URL."""
    return str(flink.cluster_of(client).getRestAddress().get().toString())


def take_savepoint(client: JobClient, world: World, form: str = "canonical") -> str:
    """Takes a savepoint of a job that goes on, and gives its path.

    Args:
        client: Of the job.
        world: Where to.
        form: ``canonical``, or ``native`` to the state backend.
    """
    folder = world.folder_of("savepoints").as_uri()
    j_client = client._j_job_client
    path = _ask_again_on(
        _TASKS_ARE_STARTING, lambda: j_client.triggerSavepoint(folder, _format(form))
    )
    return str(path)


def stop_with_savepoint(client: JobClient, world: World, *, drain: bool = False) -> str:
    """Stops a job and gives the path of the savepoint.

    By way of Java, since the method of PyFlink 2 passes too few arguments.

    Raises:
        JobFailed: Flink gave the savepoint up, or the job did not finish behind it.
    """
    folder = world.folder_of("savepoints").as_uri()
    result = client.get_job_execution_result()
    path = _ask_again_on(
        _TASKS_ARE_STARTING,
        lambda: client._j_job_client.stopWithSavepoint(drain, folder, _format("canonical")),
    )
    if not _is_done(result) or _failure_of(result) is not None:
        raise JobFailed("the job did not finish after its savepoint")
    return str(path)


def _format(name: str) -> Any:
    formats = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType
    return formats.valueOf(name.upper())


def _is_done(future: Any, seconds: float = _JOB_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not future.done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _failure_of(future: Any) -> str | None:
    """What a future of Flink's client failed with."""
    try:
        future.result()
    except Exception as error:
        return _without_frames(error)
    return None


def _without_frames(error: Exception) -> str:
    """Java's chain of causes."""
    lines = str(error).splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith(("at ", "... ")))
