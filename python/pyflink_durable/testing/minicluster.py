"""The fixture `flink_minicluster`: jobs in Flink's own mini-cluster, which fail and start again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyflink_durable.testing import flink
from pyflink_durable.testing.flink import (
    DEADLINE_SECONDS,
    ask,
    cluster_of,
    jvm,
    read_lines,
    write_lines,
)

if TYPE_CHECKING:
    from pyflink.datastream import DataStream, StreamExecutionEnvironment

Build = Callable[["DataStream"], "DataStream"]
"""Builds a job from lines to lines."""


class FlinkMiniCluster:
    """Starts jobs, each in a mini-cluster of its own, all of them in one JVM.

    Args:
        folder: Where inputs, checkpoints and outputs go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._jobs: list[MiniClusterJob] = []

    def environment(
        self, checkpoints: Path, *, parallelism: int = 1, settings: Mapping[str, str] | None = None
    ) -> StreamExecutionEnvironment:
        """An environment for a job in a mini-cluster, with a checkpoint every 100 ms.

        Args:
            checkpoints: Where they go.
            parallelism: Of all operators that do not set their own.
            settings: Further options of Flink.
        """
        return flink.environment(checkpoints, parallelism, settings or {})

    def start(
        self, build: Build, *, parallelism: int = 1, settings: Mapping[str, str] | None = None
    ) -> MiniClusterJob:
        """Starts a job from lines to lines; use it as a context manager.

        Args:
            build: Makes the job's outputs, strings, of its inputs, strings. It is called again by
                each restart. Give its operators their `uid`.
            parallelism: Of all operators that do not set their own.
            settings: Further options of Flink.
        """
        folder = self._folder / f"job-{next(self._numbers)}"
        for part in ("inputs", "outputs", "savepoints", "checkpoints"):
            (folder / part).mkdir(parents=True)

        def environment(more: Mapping[str, str]) -> StreamExecutionEnvironment:
            every = {**(settings or {}), **more}
            return self.environment(folder / "checkpoints", parallelism=parallelism, settings=every)

        job = MiniClusterJob(build, folder, environment)
        self._jobs.append(job)
        return job

    def close(self) -> None:
        """Cancels what still runs."""
        for job in self._jobs:
            job.close()


class MiniClusterJob:
    """A job under way; made by `FlinkMiniCluster.start`.

    Args:
        build: See there.
        folder: The job's own.
        environment: Makes an environment with some more options of Flink.
    """

    def __init__(
        self,
        build: Build,
        folder: Path,
        environment: Callable[[Mapping[str, str]], StreamExecutionEnvironment],
    ) -> None:
        self._build = build
        self._folder = folder
        self._environment = environment
        self._files = itertools.count()
        self._client: Any = None
        self._start({})

    def _start(self, settings: Mapping[str, str]) -> None:
        env = self._environment(settings)
        outputs = self._build(read_lines(env, self._folder / "inputs"))
        write_lines(outputs, self._folder / "outputs", "outputs")
        self._client = env.execute_async("pyflink-durable test")
        self._task_manager = 0

    # ---------------------------------------------------------------- what a test does

    def send(self, *lines: str) -> None:
        """Gives the job inputs, each a line."""
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("an input is one line: write JSON, say")
        name = f"{next(self._files):06}.txt"
        hidden = self._folder / "inputs" / f".{name}"  # Flink passes over these
        hidden.write_text("".join(f"{line}\n" for line in lines))
        hidden.rename(hidden.with_name(name))

    @property
    def outputs(self) -> list[str]:
        """The lines that a checkpoint has made final, as a sink with exactly-once shows them."""
        parts = sorted((self._folder / "outputs").rglob("part-*"), key=_place_of)
        return [line for part in parts for line in part.read_text().splitlines()]

    def wait_for_outputs(self, count: int) -> list[str]:
        """Waits until there are so many outputs, and gives all there are.

        Raises:
            TimeoutError: They did not come.
        """
        self.wait_until(lambda: len(self.outputs) >= count, f"{count} outputs")
        return self.outputs

    def wait_until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Waits for something that the job does.

        Raises:
            TimeoutError: It did not happen.
            RuntimeError: The job has ended.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            result = self._client.get_job_execution_result()
            if result.done():
                result.result()  # raises what the job failed with
                raise RuntimeError(f"the job has ended without {what}")
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{what} did not come in {DEADLINE_SECONDS:.0f} s; outputs: {self.outputs}"
                )
            time.sleep(0.02)

    def take_checkpoint(self) -> None:
        """Takes a checkpoint and waits until it is complete."""
        kinds = jvm().org.apache.flink.core.execution.CheckpointType
        job = self._client.get_job_id()._j_job_id
        ask(lambda: self._cluster().triggerCheckpoint(job, kinds.CONFIGURED))

    def fail_task(self) -> None:
        """Has all tasks of the job fail: their TaskManager goes, and another one takes over."""
        cluster = self._cluster()
        cluster.startTaskManager()
        ask(lambda: cluster.terminateTaskManager(self._task_manager))
        self._task_manager += 1

    def restart(self, build: Build | None = None) -> str:
        """Stops the job with a savepoint, builds it anew, and starts it from there.

        Args:
            build: Its next release, in place of the one that it was.

        Returns:
            The savepoint's path.
        """
        savepoint = self.stop()
        self._build = build or self._build
        keys = ("execution.state-recovery.path", "execution.savepoint.path")
        self._start(dict.fromkeys(keys, savepoint))
        return savepoint

    def stop(self) -> str:
        """Stops the job with a savepoint, and gives its path."""
        form = jvm().org.apache.flink.core.execution.SavepointFormatType.CANONICAL
        folder = (self._folder / "savepoints").as_uri()
        client = self._client._j_job_client
        path = str(ask(lambda: client.stopWithSavepoint(False, folder, form)))
        self._client.get_job_execution_result().result()
        self._client = None
        return path

    def close(self) -> None:
        """Cancels the job, if it runs."""
        client, self._client = self._client, None
        if client is None:
            return
        result = client.get_job_execution_result()
        if not result.done():
            client.cancel().result()
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not result.done() and time.monotonic() < deadline:
                time.sleep(0.02)

    def __enter__(self) -> MiniClusterJob:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _cluster(self) -> Any:
        return cluster_of(self._client)


def _place_of(part: Path) -> tuple[int, int]:
    return part.stat().st_mtime_ns, int(part.name.rsplit("-", 1)[1])
