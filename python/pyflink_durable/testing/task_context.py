"""What a handler's ``open`` is given without Flink: facts of a task, and metrics in memory."""

from __future__ import annotations

from typing import Any

from pyflink_durable.runtime.operator.handler_metrics import Gauges, HandlerMetrics
from pyflink_durable.runtime.operator.task_context import TaskContext
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry


class _Metrics:
    """In place of Java's `HandlerMetrics`."""

    def __init__(self) -> None:
        self._values: list[int] = []

    def register(self, kind: str, name: str, seconds: int, groups: Any) -> int:
        self._values.append(0)
        return len(self._values) - 1

    def update(self, metric: int, value: int) -> None:
        self._values[metric] += value

    def count(self, metric: int) -> int:
        return self._values[metric]


class _JobParameters:
    def get_job_parameter(self, key: str, default_value: str) -> str:
        return default_value


def task_context(attempt: int) -> TaskContext:
    """The context of the one task.

    Args:
        attempt: Its attempt, from 0.
    """
    metrics, parameters = _Metrics(), _JobParameters()
    facts = ("0" * 32, "durable", f"durable (1/1)#{attempt}", 0, 1, 128, attempt)
    group = HandlerMetrics(metrics, Gauges(metrics, LocalTelemetry()))
    return TaskContext(facts, group, parameters)
