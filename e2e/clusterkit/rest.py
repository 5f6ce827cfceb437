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

    def taskmanager_of(self, job_id: str, vertex: str) -> str:
        """The id of the TaskManager with subtask 0 of a vertex, by a part of its name."""
        vertices = self.get(f"/jobs/{job_id}")["vertices"]
        found = next(one["id"] for one in vertices if vertex in one["name"])
        subtasks = self.get(f"/jobs/{job_id}/vertices/{found}")["subtasks"]
        return str(subtasks[0]["taskmanager-id"])
