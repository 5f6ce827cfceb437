"""The outside world of a job under test: what no crash takes back."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.01

Condition = Callable[["World"], bool]


class Crash(Exception):
    """What a test makes a task fail with."""


@dataclass(frozen=True)
class World:
    """A folder that the test and the job share; small enough to be pickled into a handler.

    Everything that happens is one line in one file, in the order in which it happened.
    """

    folder: str

    # ---------------------------------------------------------------- what happened

    def note(self, event: str, subject: str = "", **details: Any) -> None:
        """Writes one event; safe from any thread and process."""
        line = json.dumps({"event": event, "subject": subject, **details}) + "\n"
        file = os.open(self._path("events"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """All events, or those of one name."""
        path = self._path("events")
        text = path.read_text() if path.exists() else ""
        # Whole lines: of one that is being written, a part may be seen.
        found = (json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n")
        return [one for one in found if event is None or one["event"] == event]

    def subjects(self, event: str) -> list[str]:
        """What an event happened to, each time."""
        return [one["subject"] for one in self.events(event)]

    def count(self, event: str, subject: str | None = None) -> int:
        """How often an event happened (to a subject)."""
        return sum(subject in (None, one) for one in self.subjects(event))

    def has_all(self, event: str, subjects: list[str]) -> bool:
        """Whether an event happened to each subject."""
        return set(subjects) <= set(self.subjects(event))

    # ---------------------------------------------------------------- crashes

    def crash_once(self, name: str = "crash") -> None:
        """Raises the first time that it is called with this name, over all attempts of the job."""
        if self.first_time(name):
            self.note("crash", name)
            self.release_calls()
            raise Crash(f"{name}, made by the test")

    def crash_when(self, condition: Condition, name: str = "crash") -> None:
        """Waits for a condition, then raises; once over all attempts, which go on at once."""
        if not self.crashed(name):
            self.wait(condition, f"the moment of {name}")
            self.crash_once(name)

    async def crash_when_async(self, condition: Condition, name: str = "crash") -> None:
        """As `crash_when`, in an ``async def`` handler, which goes on with other keys meanwhile."""
        if not self.crashed(name):
            await self.wait_async(condition, f"the moment of {name}")
            self.crash_once(name)

    def first_time(self, name: str) -> bool:
        """Whether nobody has asked for this name before."""
        try:
            os.close(os.open(self._path("once-" + name.replace("/", "-")), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def crashed(self, name: str = "crash") -> bool:
        return self.count("crash", name) > 0

    def release_calls(self) -> None:
        """Lets the calls go that hang by now: the other side has closed the connection."""
        self._path(f"release-{self.releases()}").touch()

    def releases(self) -> int:
        """How often calls have been released."""
        return len(list(Path(self.folder).glob("release-*")))

    def is_released(self, since: int) -> bool:
        """Whether calls have been released since there had been so many releases."""
        return self._path(f"release-{since}").exists()

    # ---------------------------------------------------------------- checkpoints

    @property
    def checkpoints(self) -> Path:
        return self._path("checkpoints")

    def newest_checkpoint(self) -> int:
        """The number of the newest checkpoint that is complete."""
        found = self.checkpoints.glob("*/chk-*/_metadata")
        return max((int(file.parent.name.removeprefix("chk-")) for file in found), default=0)

    def is_covered(self, since: int) -> bool:
        """Whether what had been done when `since` was the newest checkpoint is in the next restore.

        Of the three that follow it, the first may have begun before, and of the last only the file
        may be there: Flink has yet to take note of it. Checkpoints of these jobs do not overlap.
        """
        return self.newest_checkpoint() >= since + 3

    # ---------------------------------------------------------------- waiting

    def wait(self, condition: Condition, what: str = "a condition") -> None:
        """Blocks until a condition holds; it is the deadline that fails, never a short delay."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition(self):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come true; last events: {self.events()[-10:]}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    async def wait_async(self, condition: Condition, what: str = "a condition") -> None:
        """As `wait`, in an ``async def`` handler, which goes on with other keys meanwhile."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition(self):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come true; last events: {self.events()[-10:]}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    # ---------------------------------------------------------------- outputs

    def outputs(self, name: str = "results") -> list[str]:
        """What a file sink has committed; files still written to have a leading dot."""
        parts = sorted(self.folder_of(name).rglob("part-*"), key=_place_of)
        return [line for part in parts for line in part.read_text().splitlines()]

    def folder_of(self, name: str) -> Path:
        """Where the outputs of this name go."""
        return self._path(f"outputs-{name}")

    def _path(self, name: str) -> Path:
        return Path(self.folder) / name


def _place_of(part: Path) -> tuple[int, int]:
    """The files of a sink's subtask are numbered; anew when nothing came for a checkpoint."""
    return part.stat().st_mtime_ns, int(part.name.rsplit("-", 1)[1])
