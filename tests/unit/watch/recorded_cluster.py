"""A cluster that answers as a real one did: `recorded.json` is of a mini-cluster's REST API.

The job was that of tests/minicluster/troubles.py, of 20,000 invocations in two subtasks.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from pyflink_durable.watch.rest import FlinkRest

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded.json").read_text())
LONGEST_LINE = 4_096
"""Of a request: Flink's HTTP decoder refuses a longer one."""


class RecordedCluster:
    """Answers a client without a network.

    Attributes:
        answers: What it answers, by paths; may be changed.
        asked: The paths and queries that it was asked for.
        is_down: Whether nobody answers.
    """

    def __init__(self) -> None:
        self.answers = copy.deepcopy(RECORDED)
        self.asked: list[str] = []
        self.is_down = False
        (job,) = self.answers["/jobs/overview"]["jobs"]
        self.job: dict[str, Any] = job
        self.path = f"/jobs/{job['jid']}"

    def rest(self) -> FlinkRest:
        return FlinkRest("jobmanager:8081", httpx.MockTransport(self._answer))

    def grow(self, name: str, growth: float) -> None:
        """Lets a counter grow."""
        metric = self.metric(name)
        metric["sum"] = str(float(metric["sum"]) + growth)

    def metric(self, name: str) -> dict[str, Any]:
        """A metric over all subtasks, or of the one whose number is in front; to be changed."""
        (metric,) = (
            metric
            for path, metrics in self.answers.items()
            if path.endswith("/metrics")
            for metric in metrics
            if metric["id"] == name
        )
        found: dict[str, Any] = metric
        return found

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        if self.is_down:
            raise httpx.ConnectError("nobody listens")
        line = request.url.raw_path.decode()
        assert len(f"GET {line} HTTP/1.1") <= LONGEST_LINE
        self.asked.append(line)
        path, _, query = line.partition("?")
        if path not in self.answers:
            return httpx.Response(404, json={"errors": ["not found"]})
        answer = self.answers[path]
        if path.endswith("/metrics"):
            answer = _metrics(answer, query)
        return httpx.Response(200, json=answer)


def _metrics(metrics: list[dict[str, Any]], query: str) -> list[dict[str, Any]]:
    """Their names only, unless some are asked for."""
    parts = dict(part.split("=", 1) for part in query.split("&") if part)
    if "get" not in parts:
        return [{"id": metric["id"]} for metric in metrics]
    names = {unquote(name) for name in parts["get"].split(",")}
    return [metric for metric in metrics if metric["id"] in names]
