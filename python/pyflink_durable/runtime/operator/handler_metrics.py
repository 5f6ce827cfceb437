"""Metrics of the user's own, registered in ``open``, in the operator's metric group."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pyflink.metrics import Counter, Distribution, Meter, MetricGroup

from pyflink_durable.runtime.telemetry.telemetry import Telemetry

GAUGE_SECONDS = 5.0
"""How often gauges are read."""


class Gauges:
    """Functions that are asked for a number now and then, on the task thread.

    A reporter asks Java on a thread of its own, which must not run Python in this interpreter. So
    Java has the last answer.
    """

    def __init__(self, java_metrics: Any, telemetry: Telemetry) -> None:
        self._java = java_metrics
        self._telemetry = telemetry
        self._functions: dict[int, Callable[[], int]] = {}
        self._due = 0.0

    def add(self, metric: int, function: Callable[[], int]) -> None:
        self._functions[metric] = function

    def read(self, wake_at: Callable[[int], None]) -> None:
        """Asks all functions, if it is time, and has the operator come again."""
        if not self._functions or (now := time.time()) < self._due:
            return
        self._due = now + GAUGE_SECONDS
        wake_at(round(self._due * 1000))
        for metric, function in list(self._functions.items()):
            try:
                self._java.update(metric, int(function()))
            except Exception as error:
                del self._functions[metric]
                self._telemetry.warning(
                    f"gauge={getattr(function, '__qualname__', function)!r} raised "
                    f"{type(error).__name__}: {error}; it is not asked again in this attempt"
                )


class HandlerMetrics(MetricGroup):  # type: ignore[misc]
    """The operator's metric group, or one in it. Any thread may use what it gives.

    Args:
        java_metrics: The Java `HandlerMetrics`.
        gauges: Reads the gauges.
        groups: Name, and value or None, of each group that this one is in.
    """

    def __init__(self, java_metrics: Any, gauges: Gauges, groups: tuple[str | None, ...] = ()):
        self._java = java_metrics
        self._gauges = gauges
        self._groups = groups

    def add_group(self, name: str, extra: str | None = None) -> HandlerMetrics:
        return HandlerMetrics(self._java, self._gauges, (*self._groups, name, extra))

    def counter(self, name: str) -> Counter:
        return _Counter(self._java, self._register("counter", name))

    def meter(self, name: str, time_span_in_seconds: int = 60) -> Meter:
        return _Meter(self._java, self._register("meter", name, time_span_in_seconds))

    def distribution(self, name: str) -> Distribution:
        return _Distribution(self._java, self._register("distribution", name))

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        """Registers a function that is asked every 5 seconds; it must not block."""
        self._gauges.add(self._register("gauge", name), obj)

    def _register(self, kind: str, name: str, seconds: int = 0) -> int:
        return int(self._java.register(kind, name, seconds, self._groups))


class _Numbered:
    def __init__(self, java_metrics: Any, metric: int) -> None:
        self._java = java_metrics
        self._metric = metric

    def get_count(self) -> int:
        return int(self._java.count(self._metric))

    def _take(self, value: int) -> None:
        self._java.update(self._metric, value)


class _Counter(_Numbered, Counter):  # type: ignore[misc]
    def inc(self, n: int = 1) -> None:
        self._take(n)

    def dec(self, n: int = 1) -> None:
        self._take(-n)


class _Meter(_Numbered, Meter):  # type: ignore[misc]
    def mark_event(self, value: int = 1) -> None:
        self._take(value)


class _Distribution(_Numbered, Distribution):  # type: ignore[misc]
    def update(self, value: int) -> None:
        self._take(int(value))
