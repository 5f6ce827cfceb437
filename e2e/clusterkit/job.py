"""A submitted job, as a test sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from clusterkit.process import ProcessFailed
from clusterkit.rest import Rest
from clusterkit.waiting import wait_until

# A checkpoint may have begun before the moment that a test has seen; the second one after has not.
_COVERING = 2


class Job:
    """One job of a cluster, by its id."""

    def __init__(self, job_id: str, rest: Rest) -> None:
        self.id = job_id
        self._rest = rest

    # ---------------------------------------------------------------- state

    def state(self) -> str:
        """Flink's word for it; ``UNKNOWN`` while there is no JobManager that knows it."""
        try:
            return str(self._rest.get(f"/jobs/{self.id}")["state"])
        except httpx.HTTPError:
            return "UNKNOWN"

    def is_running(self) -> bool:
        """Whether all its tasks run; a job that is RUNNING may still wait for slots."""
        try:
            job = self._rest.get(f"/jobs/{self.id}")
        except httpx.HTTPError:
            return False
        if job["state"] in ("FAILED", "CANCELED"):
            raise ProcessFailed(f"the job has {job['state']}: {self.root_exception()}")
        return job["state"] == "RUNNING" and all(
            vertex["tasks"].get("RUNNING", 0) + vertex["tasks"].get("FINISHED", 0)
            == vertex["parallelism"]
            for vertex in job["vertices"]
        )

    def wait_running(self) -> None:
        wait_until(self.is_running, "all tasks of the job running")

    def wait_for(self, state: str) -> None:
        wait_until(lambda: self.state() == state, f"the job is {state}", 60)

    def restarts(self) -> int:
        """How often its tasks have been deployed anew; 0 while there is no JobManager to ask."""
        try:
            vertices = self._rest.get(f"/jobs/{self.id}")["vertices"]
            first = self._rest.get(f"/jobs/{self.id}/vertices/{vertices[0]['id']}")
        except httpx.HTTPError:
            return 0
        return max(int(subtask["attempt"]) for subtask in first["subtasks"])

    def wait_restarted(self, before: int) -> None:
        """Waits until it has failed since there had been so many restarts, and runs again."""
        wait_until(lambda: self.restarts() > before, "a restart of the job")
        self.wait_running()

    def root_exception(self) -> str:
        """The newest failure with its causes."""
        entries = self._rest.get(f"/jobs/{self.id}/exceptions")["exceptionHistory"]["entries"]
        return str(entries[0]["stacktrace"]) if entries else ""

    # ---------------------------------------------------------------- checkpoints

    def completed_checkpoints(self) -> int:
        return int(self._checkpoints()["counts"]["completed"])

    def restored_checkpoint(self) -> int:
        """The number of the checkpoint that it last went back to; 0 if none."""
        restored = self._checkpoints()["latest"]["restored"]
        return int(restored["id"]) if restored else 0

    def wait_checkpoint(self) -> None:
        """Waits for a checkpoint that has begun after this call."""
        before = self.completed_checkpoints()
        wait_until(
            lambda: self.completed_checkpoints() >= before + _COVERING, "a checkpoint of now"
        )

    def wait_remembered(self, durability: str) -> None:
        """Waits until no failure can make the job forget the calls that have started.

        Beyond the checkpoint level that is so from their start, which is what these levels are for.
        """
        if durability == "checkpoint":
            self.wait_checkpoint()

    def checkpoint(self) -> None:
        """Takes a checkpoint now, for a job that takes none by itself."""
        path = f"/jobs/{self.id}/checkpoints"
        request = self._rest.post(path, {"checkpointType": "FULL"})["request-id"]
        self._result_of(f"{path}/{request}", "the checkpoint")

    def _checkpoints(self) -> Any:
        return self._rest.get(f"/jobs/{self.id}/checkpoints")

    # ---------------------------------------------------------------- end

    def cancel(self) -> None:
        self._rest.patch(f"/jobs/{self.id}?mode=cancel")
        self.wait_for("CANCELED")

    def stop_with_savepoint(self, folder: Path) -> str:
        """Stops it and gives the path of the savepoint."""
        body = {"targetDirectory": folder.as_uri(), "drain": False}
        request = self._rest.post(f"/jobs/{self.id}/stop", body)["request-id"]
        savepoint = self._result_of(f"/jobs/{self.id}/savepoints/{request}", "the savepoint")
        self.wait_for("FINISHED")
        return str(savepoint["location"])

    def _result_of(self, path: str, what: str) -> Any:
        """Waits for the end of an operation that the JobManager has been asked for."""

        def result() -> Any:
            answer = self._rest.get(path)
            return answer["status"]["id"] == "COMPLETED" and answer["operation"]

        operation = wait_until(result, what)
        if "failure-cause" in operation:
            raise ProcessFailed(f"{what}: {operation['failure-cause']['stack-trace']}")
        return operation
