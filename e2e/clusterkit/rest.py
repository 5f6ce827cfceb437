"""What the tests ask of Flink's REST API."""

from __future__ import annotations

from typing import Any

import httpx


class Rest:
    """One client for one cluster; it outlives a restart of the JobManager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=20)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str) -> Any:
        answer = self._client.get(path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def patch(self, path: str) -> None:
        self._client.patch(path).raise_for_status()

    def taskmanager_count(self) -> int:
        """How many are registered; 0 while there is no JobManager to ask."""
        try:
            return len(self.get("/taskmanagers")["taskmanagers"])
        except httpx.HTTPError:
            return 0

    def unfinished_jobs(self) -> list[str]:
        ended = ("FINISHED", "CANCELED", "FAILED")
        jobs = self.get("/jobs")["jobs"]
        return [str(job["id"]) for job in jobs if job["status"] not in ended]

    def data_port(self, taskmanager_id: str) -> int:
        return int(self.get(f"/taskmanagers/{taskmanager_id}")["dataPort"])

    def taskmanagers_of(self, job_id: str, operator: str) -> list[str]:
        """The ids of the TaskManagers of an operator's subtasks, in the order of these."""
        vertex = self._vertex(job_id, operator)
        subtasks = self.get(f"/jobs/{job_id}/vertices/{vertex}")["subtasks"]
        return [str(subtask["taskmanager-id"]) for subtask in subtasks]

    def cpu_time(self, taskmanager_id: str) -> int:
        """Nanoseconds, 0 without any; tells new metrics of a TaskManager from those of before."""
        metrics = self.get(f"/taskmanagers/{taskmanager_id}/metrics?get=Status.JVM.CPU.Time")
        return int(metrics[0]["value"]) if metrics else 0

    def durable_metrics(
        self, job_id: str, operator: str, subtask: int, *names: str
    ) -> dict[str, int]:
        """Metrics ``durable.*`` of one subtask by name; those that there are no values of yet."""
        vertex = self._vertex(job_id, operator)
        path = f"/jobs/{job_id}/vertices/{vertex}/subtasks/{subtask}/metrics"
        # In front of its name each has that of the operator and of what it is chained with.
        ids = {one["id"]: one["id"].split(".durable.")[-1] for one in self.get(path)}
        wanted = [one for one, name in ids.items() if name in names]
        values = self.get(f"{path}?get={','.join(wanted)}") if wanted else []
        return {ids[one["id"]]: int(one["value"]) for one in values}

    def _vertex(self, job_id: str, operator: str) -> str:
        """The vertex that begins with an operator, as every durable one does."""
        vertices = self.get(f"/jobs/{job_id}")["vertices"]
        return next(str(one["id"]) for one in vertices if one["name"].startswith(operator))
