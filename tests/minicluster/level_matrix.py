"""Jobs of every combination of level, log, backend and load; a few of them hold every pair."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any, NamedTuple

from pyflink.version import __version__ as flink_version

CHANGELOG = "-changelog"
BACKENDS = ["hashmap", "rocksdb", f"hashmap{CHANGELOG}", f"rocksdb{CHANGELOG}", "forst"]


class Case(NamedTuple):
    """One job."""

    level: str
    log: str
    backend: str
    input: str
    parallelism: int
    ends: str
    form: str
    load: str

    @property
    def is_possible(self) -> bool:
        """Whether there is such a job."""
        has_its_log = self.level != "write-ahead" or self.log != "none"
        uneven = self.ends == "uneven"
        ends_by_subtask = not uneven or (self.parallelism > 1 and self.input == "bounded")
        is_in_this_flink = self.backend != "forst" or not flink_version.startswith("1.")
        return has_its_log and ends_by_subtask and is_in_this_flink

    @property
    def settings(self) -> dict[str, str]:
        """Flink options of the state backend, as `crashkit.environment` takes them."""
        settings = {"state__backend__type": self.backend.removesuffix(CHANGELOG)}
        if self.backend.endswith(CHANGELOG):
            settings |= {"state__changelog__enabled": "true", "state__changelog__storage": "memory"}
        return settings

    def __str__(self) -> str:
        return ", ".join(map(str, self))


AXES: dict[str, list[Any]] = {
    "level": ["checkpoint", "gated", "write-ahead"],
    "log": ["none", "file"],
    "backend": BACKENDS,
    "input": ["bounded", "unbounded"],
    "parallelism": [1, 2],
    "ends": ["together", "uneven"],
    "form": ["functions", "coroutines", "def"],
    "load": ["few keys", "more keys than places"],
}


def full_matrix() -> list[Case]:
    """Every possible job."""
    return [case for case in map(Case._make, product(*AXES.values())) if case.is_possible]


def pairwise_matrix() -> list[Case]:
    """As few jobs as hold each two values that go together; the same ones in each run."""
    left = full_matrix()
    uncovered = {pair for case in left for pair in _pairs(case)}
    chosen = []
    while uncovered:
        best = max(left, key=lambda case: len(uncovered & _pairs(case)))
        uncovered -= _pairs(best)
        chosen.append(best)
    return chosen


def _pairs(case: Case) -> set[tuple[Any, ...]]:
    return set(combinations(enumerate(case), 2))
