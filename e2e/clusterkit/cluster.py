"""A standalone Flink cluster: one JobManager, and TaskManagers of one slot each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from clusterkit.home import FlinkHome
from clusterkit.job import Job
from clusterkit.ports import free_ports
from clusterkit.process import Process, ProcessFailed
from clusterkit.procfs import listening_ports
from clusterkit.rest import Rest
from clusterkit.waiting import wait_until

# Flink draws when the first one comes; not while a test runs.
NO_CHECKPOINTS = {"execution.checkpointing.interval": "3650 d"}

_SUBMIT_SECONDS = 120.0
_JOB_ID = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")


class Cluster:
    """Starts with the ``with`` block and ends with it.

    Args:
        folder: Its own.
        taskmanagers: How many.
        settings: Flink's, beside those of all clusters.
        jars: More for ``lib``.
        flink_python_in_lib: See `FlinkHome.make`.
        application: Makes it a cluster of one job (application mode), which the JobManager builds:
            ``-D`` settings, ``-py``, the script, and its arguments.

    Attributes:
        home: Its Flink home; ``conf/config.yaml`` is what it runs with.
        rest: Its REST API.
        jobmanager: The process; started again when it ends.
        taskmanagers: The processes; each is started again when it ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        taskmanagers: int = 2,
        settings: Mapping[str, str] | None = None,
        jars: Iterable[Path] = (),
        flink_python_in_lib: bool = True,
        application: Sequence[str | Path] = (),
    ) -> None:
        self._folder = folder
        self._application = application
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True)
        self._taskmanager_count = taskmanagers
        rest_port, rpc_port = free_ports(2)
        self.home = FlinkHome.make(
            folder / "flink",
            self._settings(rest_port, rpc_port) | dict(settings or {}),
            jars=jars,
            flink_python_in_lib=flink_python_in_lib,
        )
        self.rest = Rest(f"http://127.0.0.1:{rest_port}")
        self.taskmanagers: list[Process] = []

    def _settings(self, rest_port: int, rpc_port: int) -> dict[str, str]:
        return {
            "rest.address": "127.0.0.1",
            "rest.port": str(rest_port),
            "rest.bind-port": str(rest_port),
            "jobmanager.rpc.port": str(rpc_port),
            "jobmanager.memory.process.size": "1g",
            "taskmanager.memory.process.size": "1200m",
            "taskmanager.numberOfTaskSlots": "1",
            # All of the heap is resident at once: what grows then is something else.
            "env.java.opts.taskmanager": "-XX:+AlwaysPreTouch",
            # A killed process is noticed in seconds, not in Flink's default of 50.
            "heartbeat.interval": "500",
            "heartbeat.timeout": "3000",
            "pekko.ask.timeout": "10 s",
            "execution.checkpointing.interval": "500 ms",
            "execution.checkpointing.min-pause": "100 ms",
            "execution.checkpointing.dir": self._checkpoints.as_uri(),
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            # Each missing slot may cost one.
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": "1000",
            "restart-strategy.fixed-delay.delay": "500 ms",
            "slot.request.timeout": "60000",
            "cluster.evenly-spread-out-slots": "true",
            "io.tmp.dirs": str(self._logs),
            # Metrics are what they were a moment ago, not ten seconds. While a TaskManager that is
            # gone does not answer there are no new ones; by default that takes ten minutes.
            "metrics.fetcher.update-interval": "100 ms",
            "web.timeout": "5 s",
            # No Python process beside the TaskManager: on a small machine its start takes longest.
            "python.execution-mode": "thread",
            "python.executable": sys.executable,
            "python.client.executable": sys.executable,
        }

    @property
    def _checkpoints(self) -> Path:
        return self._folder / "checkpoints"

    # ---------------------------------------------------------------- life

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        if self._application:
            driver = ("--job-classname", "org.apache.flink.client.python.PythonDriver")
            self.jobmanager = self._run(
                "jobmanager", "standalone-job.sh", *driver, *map(str, self._application)
            )
        else:
            self.jobmanager = self._run("jobmanager", "jobmanager.sh")
        for number in range(self._taskmanager_count):
            # Each has an id of its own, by which a restarted one is told from its predecessor.
            self.taskmanagers.append(self._run(f"taskmanager-{number}", "taskmanager.sh"))
        self.wait_complete()

    def wait_complete(self) -> None:
        """Waits until every TaskManager is registered, and none that is gone."""
        wait_until(
            lambda: self.rest.taskmanager_count() == self._taskmanager_count,
            "the registration of all TaskManagers",
        )

    def _run(self, name: str, program: str, *arguments: str) -> Process:
        command = [self.home.program(program), "start-foreground", *arguments]
        environment = self.home.environment(self._logs)
        return Process(name, command, self._logs, environment=environment, restart=True)

    def _stop(self) -> None:
        for process in (*self.taskmanagers, getattr(self, "jobmanager", None)):
            if process is not None:
                process.stop()
        self.rest.close()

    def log_ends(self) -> list[tuple[str, str]]:
        """The end of each process's log, with its name."""
        processes = (self.jobmanager, *self.taskmanagers)
        return [(f"log of {process.name}", process.tail()) for process in processes]

    def log_lines(self, pattern: str) -> list[str]:
        """The lines of all logs, of all processes so far, that a pattern is found in."""
        expression = re.compile(pattern)
        logs = sorted(self._logs.glob("*.out"))
        lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
        return [line for line in lines if expression.search(line)]

    # ---------------------------------------------------------------- jobs

    def submit(self, script: Path, *arguments: str | Path, **options: Any) -> Job:
        """As `start`; returns when all tasks of the job run."""
        job = self.start(script, *arguments, **options)
        job.wait_running()
        return job

    def start(
        self,
        script: Path,
        *arguments: str | Path,
        parallelism: int = 1,
        savepoint: str | None = None,
        settings: Mapping[str, str] | None = None,
        ships: Sequence[str | Path] = (),
    ) -> Job:
        """``flink run -py``, detached.

        Args:
            script: The job file.
            *arguments: Its own arguments.
            parallelism: Of the operators that do not fix their own.
            savepoint: What it starts from.
            settings: Of this job only.
            ships: What comes with it, as ``["-pyfs", file]``.
        """
        options = ["--detached", "--parallelism", str(parallelism)]
        if savepoint is not None:
            options += ["--fromSavepoint", savepoint]
        options += [f"-D{name}={value}" for name, value in (settings or {}).items()]
        options += map(str, ships)
        return Job(self._flink_run(options, script, arguments), self.rest)

    def _flink_run(
        self, options: Sequence[str], script: Path, arguments: Sequence[str | Path]
    ) -> str:
        command = [self.home.program("flink"), "run", *options, "--python", str(script)]
        done = subprocess.run(
            [*command, *map(str, arguments)],
            env=self.home.environment(self._logs),
            cwd=self._logs,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SUBMIT_SECONDS,
            check=False,
        )
        submitted = _JOB_ID.search(done.stdout)
        if submitted is None:
            raise ProcessFailed(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-8000:]}")
        return submitted[1]

    def only_job(self) -> Job:
        """The one job that has not ended, whoever submitted it."""
        (job_id,) = self.rest.unfinished_jobs()
        return Job(job_id, self.rest)

    def application_job(self) -> Job:
        """The job of an application, when the JobManager has built it."""
        wait_until(lambda: len(self.rest.unfinished_jobs()) == 1, "the application's job")
        return self.only_job()

    def cancel_all(self) -> None:
        """Cancels what still runs."""
        for job_id in self.rest.unfinished_jobs():
            Job(job_id, self.rest).cancel()

    # ---------------------------------------------------------------- TaskManagers

    def busy_taskmanager(self, job: Job, operator: str) -> Process:
        """The TaskManager that runs subtask 0 of the operator."""
        return self.taskmanager_of(self.rest.taskmanagers_of(job.id, operator)[0])

    def kill_busy_taskmanager(self, job: Job, operator: str) -> None:
        """``kill -9`` of the TaskManager of subtask 0; returns when the job runs again."""
        restarts = job.restarts()
        self.busy_taskmanager(job, operator).kill()
        job.wait_restarted(restarts)

    def durable_metrics(self, job: Job, operator: str, *names: str) -> dict[str, int]:
        """Metrics of a durable operator, each the sum of its subtasks' as far as they have it."""
        subtasks = range(len(self.rest.taskmanagers_of(job.id, operator)))
        parts = [self.rest.durable_metrics(job.id, operator, n, *names) for n in subtasks]
        return {name: sum(part.get(name, 0) for part in parts) for name in names}

    def wait_at_gate(self, job: Job, operator: str, calls: int) -> None:
        """Waits for a number of calls at the gate.

        It should not be the number that there was before: what metrics say is a little old.
        """
        wait_until(
            lambda: self.durable_metrics(job, operator, "atGate")["atGate"] == calls,
            f"{calls} calls at the gate",
        )

    def taskmanager_of(self, taskmanager_id: str) -> Process:
        """A process by the id that Flink knows it by: its data port is open in that process."""
        port = self.rest.data_port(taskmanager_id)
        for process in self.taskmanagers:
            if port in listening_ports(process.pid):
                return process
        raise LookupError(f"no process has the data port {port} of {taskmanager_id}")
