"""Reads Flink's log: the operators' counters, the restarts, and what each restart restored."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

_COUNTERS = re.compile(r"durable-counters (\{.*\})")
_RESTARTING = re.compile(r"^(\S+ \S+) .* switched from state \w+ to RESTARTING\b")
_RESTORING = re.compile(r"Restoring job \w+ from Checkpoint (\d+) @ (\d+) ")
_COUNTER_NAMES = (
    "executed",
    "replayed",
    "reconciled",
    "reexecuted",
    "mismatched",
    "handlerErrors",
    "abandoned",
)


@dataclass(frozen=True)
class Restart:
    """One restart of the job.

    Attributes:
        failed: When the job failed, in seconds since 1970.
        checkpoint: The checkpoint it went back to; 0 if there was none.
        checkpoint_began: When that checkpoint was triggered; what came after it is forgotten.
    """

    failed: float
    checkpoint: int = 0
    checkpoint_began: float = 0.0


@dataclass
class FlinkLog:
    """What a log has told so far; feed it lines in their order."""

    counters: Counter[str] = field(default_factory=Counter)
    restarts: list[Restart] = field(default_factory=list)

    def feed(self, line: str) -> None:
        if counters := _COUNTERS.search(line):
            self._add(counters[1])
        elif restarting := _RESTARTING.search(line):
            self.restarts.append(Restart(failed=_seconds(restarting[1])))
        elif self.restarts and (restoring := _RESTORING.search(line)):
            self.restarts[-1] = replace(
                self.restarts[-1],
                checkpoint=int(restoring[1]),
                checkpoint_began=int(restoring[2]) / 1000,
            )

    def _add(self, text: str) -> None:
        try:
            values = json.loads(text)
        except ValueError:
            return  # a line cut off when the process ended
        self.counters.update({name: int(values.get(name, 0)) for name in _COUNTER_NAMES})


class LogFollower:
    """Reads what has been added to the log files of a directory since it last looked."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}
        self.log = FlinkLog()

    def catch_up(self) -> FlinkLog:
        for path in sorted(self._directory.glob("*.log")):
            for line in self._new_lines(path):
                self.log.feed(line)
        return self.log

    def _new_lines(self, path: Path) -> Iterator[str]:
        with path.open("rb") as file:
            file.seek(self._offsets.get(path, 0))
            text = file.read()
        # The last line may still be growing; it is read when it is whole.
        whole = text[: text.rfind(b"\n") + 1]
        self._offsets[path] = self._offsets.get(path, 0) + len(whole)
        yield from whole.decode("utf-8", errors="replace").splitlines()


def _seconds(timestamp: str) -> float:
    """Flink writes local time, as this process would."""
    return datetime.strptime(timestamp, "%Y-%m-%d %H:%M:%S,%f").timestamp()
