"""Metrics of each call by its name."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from pyflink_durable.observer import ObservedCall, ObservedInvocation, Observer

MOST_NAMES = 100
OTHER = "other"

_MOST_LATENCIES = 1_000
"""Of each name between two reports: as many as the histogram in Java remembers."""
_COUNTERS = ("started", "failed", "retried", "timedOut", "replayed")


class MetricGroup(Protocol):
    """What is asked of a metric group of Flink."""

    def add_group(self, name: str, extra: str | None = None) -> Any:
        """A group in it."""

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        """Registers a function that is asked for a number now and then, on the task thread."""


class CallMetrics(Observer):
    """Counts what becomes of calls, by their names.

    Counts are kept here, and told to Flink all together when its gauges are read, every 5 seconds
    and at the end: a crossing to Java for each event would cost several times as much.

    A name that the handler makes up for each call (a ``durable_id`` with an id in it) would be a
    metric for each call: beyond 100 names all others are counted as one.

    Args:
        metrics: The operator's group ``durable``.
        warn: Logs a line.
    """

    def __init__(self, metrics: MetricGroup, warn: Callable[[str], None]) -> None:
        self._metrics = metrics
        self._warn = warn
        self._lock = Lock()
        self._names: dict[str, _Name] = {}
        self._open: dict[int, _OpenCalls] = {}
        metrics.gauge("oldestRunningMillis", self._report)
        metrics.gauge("oldestWaitingMillis", lambda: self._oldest("waiting"))
        metrics.gauge("inDoubt", lambda: sum(len(one.in_doubt) for one in self._all_open()))

    def close(self) -> None:
        self._report()

    # ---------------------------------------------------------------- events

    def invocation_ended(self, invocation: ObservedInvocation, error: BaseException | None) -> None:
        self._open.pop(id(invocation), None)

    def call_replayed(self, invocation: ObservedInvocation, call: ObservedCall) -> None:
        self._count(call, "replayed")

    def call_held(self, invocation: ObservedInvocation, call: ObservedCall, by: str) -> None:
        self._open_calls(invocation).waiting[call.slot] = time.monotonic()

    def attempt_started(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        calls = self._open_calls(invocation)
        calls.waiting.pop(call.slot, None)
        calls.running[call.slot] = time.monotonic()
        self._count(call, "started")

    def attempt_ended(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        calls = self._open.get(id(invocation))
        since = None if calls is None else calls.running.pop(call.slot, None)
        if since is not None:
            millis = round((time.monotonic() - since) * 1000)
            with self._lock:
                latencies = self._name(call.name).latencies
                if len(latencies) < _MOST_LATENCIES:
                    latencies.append(millis)

    def attempt_timed_out(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        self._open_calls(invocation).in_doubt.add(call.slot)
        self._count(call, "timedOut")

    def call_retried(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, due: int
    ) -> None:
        self._count(call, "retried")

    def call_reexecuted(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        self._open_calls(invocation).in_doubt.add(call.slot)

    def call_ended(
        self, invocation: ObservedInvocation, call: ObservedCall, error: BaseException | None
    ) -> None:
        calls = self._open.get(id(invocation))
        if calls is not None:
            calls.in_doubt.discard(call.slot)
        if error is not None:
            self._count(call, "failed")

    # ---------------------------------------------------------------- counts

    def _count(self, call: ObservedCall, event: str) -> None:
        with self._lock:
            self._name(call.name).counts[event] += 1

    def _name(self, name: str) -> _Name:
        found = self._names.get(name)
        if found is None:
            name = name.partition("#")[0]
            found = self._names.get(name)
        if found is None:
            if len(self._names) >= MOST_NAMES and name != OTHER:
                return self._other(name)
            group = self._metrics.add_group("call", name)
            found = self._names[name] = _Name(group)
        return found

    def _other(self, name: str) -> _Name:
        if OTHER not in self._names:
            self._warn(
                f"name={name!r} is the name of a call after {MOST_NAMES} others: the metrics of "
                f"this one and of all that come count as {OTHER!r}. A durable_id with something "
                "in it that is different in each invocation makes a metric of each call"
            )
            self._names[OTHER] = _Name(self._metrics.add_group("call", OTHER))
        return self._names[OTHER]

    # ---------------------------------------------------------------- what is under way

    def _open_calls(self, invocation: ObservedInvocation) -> _OpenCalls:
        number = id(invocation)
        calls = self._open.get(number)
        if calls is None:
            calls = self._open[number] = _OpenCalls()
        return calls

    def _all_open(self) -> list[_OpenCalls]:
        return list(self._open.values())

    def _oldest(self, kind: str) -> int:
        since = [moment for one in self._all_open() for moment in list(getattr(one, kind).values())]
        return round((time.monotonic() - min(since)) * 1000) if since else 0

    def _report(self) -> int:
        """Tells Flink what was counted, and how old the oldest attempt is."""
        with self._lock:
            taken = [(name, name.take()) for name in self._names.values()]
        for name, (counts, latencies) in taken:
            name.report(counts, latencies)
        return self._oldest("running")


class _OpenCalls:
    """The calls of an invocation that are not done with, by slot."""

    __slots__ = ("in_doubt", "running", "waiting")

    def __init__(self) -> None:
        self.running: dict[int, float] = {}
        self.waiting: dict[int, float] = {}
        self.in_doubt: set[int] = set()


class _Name:
    """The metrics of one name, and what was counted since the last report."""

    __slots__ = ("_counters", "_latency", "counts", "latencies")

    def __init__(self, group: Any) -> None:
        self._counters = {event: group.counter(event) for event in _COUNTERS}
        self._latency = group.distribution("latencyMillis")
        self.counts = dict.fromkeys(_COUNTERS, 0)
        self.latencies: list[int] = []

    def take(self) -> tuple[dict[str, int], list[int]]:
        counts, latencies = self.counts, self.latencies
        self.counts, self.latencies = dict.fromkeys(_COUNTERS, 0), []
        return counts, latencies

    def report(self, counts: dict[str, int], latencies: list[int]) -> None:
        for event, count in counts.items():
            if count:
                self._counters[event].inc(count)
        for millis in latencies:
            self._latency.update(millis)
