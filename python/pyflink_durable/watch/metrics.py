"""The metrics of durable operators, among all that the REST API has of a job."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from math import isnan
from typing import NamedTuple

from pyflink_durable.watch.picture import COUNTERS, GAUGES, CallPicture, Count, OperatorPicture
from pyflink_durable.watch.rest import FlinkRest, Vertex

CALL_COUNTERS = ("started", "failed", "retried", "timedOut", "replayed")
_MEDIAN, _P99 = "latencyMillis_median", "latencyMillis_p99"
_METRIC = re.compile(r"(?P<operator>[^.]+)\.durable\.(?:call\.(?P<call>[^.]+)\.)?(?P<metric>\w+)")
"""Flink writes ``_`` for the dots of names, so that dots are between them only."""

_NAMES_SECONDS = 20
"""How long the list of metrics is taken for new: names of calls come while a job runs."""

_RATE_SECONDS = 60
"""Over how long rates are reckoned: what the REST API tells is up to 10 s old itself."""


class _Metric(NamedTuple):
    operator: str
    call: str | None
    metric: str


class OperatorMetrics:
    """Asks for the metrics of a job's durable operators, and remembers them for rates.

    Args:
        rest: Whom to ask.
        job: The job's id.
        clock: Tells seconds.
    """

    def __init__(
        self, rest: FlinkRest, job: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest = rest
        self._job = job
        self._clock = clock
        self._names: dict[str, list[str]] = {}
        self._names_until = 0.0
        self._rates = Rates()

    def operators(self) -> tuple[OperatorPicture, ...]:
        """The durable operators, in the order of the job."""
        now = self._clock()
        vertices = self._rest.vertices(self._job)
        if now >= self._names_until or any(one.id not in self._names for one in vertices):
            self._names = {one.id: self._durable_names(one) for one in vertices}
            self._names_until = now + _NAMES_SECONDS
        return tuple(picture for vertex in vertices for picture in self._of_vertex(vertex, now))

    def _durable_names(self, vertex: Vertex) -> list[str]:
        names = self._rest.metric_names(self._job, vertex.id)
        return [name for name in names if _METRIC.fullmatch(name)]

    def _of_vertex(self, vertex: Vertex, now: float) -> list[OperatorPicture]:
        names = {name: _metric(name) for name in self._names.get(vertex.id, ())}
        operators = dict.fromkeys(one.operator for one in names.values())
        if not operators:
            return []
        gauges = [name for name, one in names.items() if one.call is None and one.metric in GAUGES]
        sums = self._rest.sums(self._job, vertex.id, [name for name in names if name not in gauges])
        sums |= self._sums_of_some(
            vertex, [name for name, (_, most) in sums.items() if isnan(most)]
        )
        subtasks = self._rest.of_subtasks(self._job, vertex, gauges)
        counters = {name: total for name, (total, _) in sums.items() if not isnan(total)}
        self._rates.see(vertex.id, now, counters)
        return [self._picture(one, vertex, sums, subtasks) for one in operators]

    def _sums_of_some(self, vertex: Vertex, names: list[str]) -> dict[str, tuple[float, float]]:
        """Sums and maxima of those subtasks that have a number: to Flink, one NaN makes all NaN."""
        known: dict[str, list[float]] = {}
        for (_, name), value in self._rest.of_subtasks(self._job, vertex, names).items():
            if not isnan(value):
                known.setdefault(name, []).append(value)
        return {name: (sum(values), max(values)) for name, values in known.items()}

    def _picture(
        self,
        operator: str,
        vertex: Vertex,
        sums: Mapping[str, tuple[float, float]],
        of_subtasks: Mapping[tuple[int, str], float],
    ) -> OperatorPicture:
        counts: dict[str | None, dict[str, Count]] = {None: {}}
        slowest: dict[tuple[str, str], float] = {}
        for name, (total, largest) in sums.items():
            found = _metric(name)
            if found.operator != operator:
                continue
            if found.metric in (COUNTERS if found.call is None else CALL_COUNTERS):
                rate = self._rates.of(vertex.id, name)
                counts.setdefault(found.call, {})[found.metric] = Count(round(total), rate)
            elif found.call is not None and not isnan(largest):
                slowest[found.call, found.metric] = largest
        subtasks: dict[int, dict[str, float]] = {}
        for (subtask, name), value in of_subtasks.items():
            found = _metric(name)
            if found.operator == operator:
                subtasks.setdefault(subtask, {})[found.metric] = value
        calls = [
            CallPicture(call, of_call, *(slowest.get((call, one)) for one in (_MEDIAN, _P99)))
            for call, of_call in sorted(counts.items(), key=lambda one: one[0] or "")
            if call is not None
        ]
        return OperatorPicture(
            operator, dict(sorted(subtasks.items())), counts[None], tuple(calls), vertex.id
        )


class Rates:
    """How fast counters grow, by what was seen of them in the last minute."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, Mapping[str, float]]]] = {}

    def see(self, group: str, now: float, totals: Mapping[str, float]) -> None:
        """Takes note of the totals of a group of counters."""
        seen = self._seen.setdefault(group, deque())
        last = seen[-1][1] if seen else {}
        if any(total < last.get(name, 0) for name, total in totals.items()):
            seen.clear()  # a subtask has started again, and counts from 0
        seen.append((now, totals))
        while len(seen) > 2 and now - seen[1][0] >= _RATE_SECONDS:
            seen.popleft()

    def of(self, group: str, name: str) -> float | None:
        """Growth per second; None if there is nothing to compare with."""
        seen = self._seen.get(group)
        if seen is None or len(seen) < 2 or seen[-1][0] <= seen[0][0]:
            return None
        (since, before), (until, after) = seen[0], seen[-1]
        return (after.get(name, 0.0) - before.get(name, 0.0)) / (until - since)


def _metric(name: str) -> _Metric:
    found = _METRIC.fullmatch(name)
    assert found is not None
    return _Metric(found["operator"], found["call"], found["metric"])
