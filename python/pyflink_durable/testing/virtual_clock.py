"""A clock that only moves when everything waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

START = 1_800_000_000.0
"""A day in January 2027, in seconds since the epoch: the same in every run of a test."""

_RUNTIME = "pyflink_durable.runtime"


class VirtualClock:
    """Stands in for the module `time` in the runtime; handlers see it by ``ctx.now()``.

    Args:
        now: The time in seconds since the epoch.
    """

    __slots__ = ("now",)

    def __init__(self, now: float = START) -> None:
        self.now = now

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now

    def monotonic(self) -> float:
        """The same: nothing may depend on where a monotonic clock begins."""
        return self.now

    def move(self, to: float) -> None:
        """Goes on to a time, and never back."""
        self.now = max(self.now, to)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In place of `time`, in every module of the runtime that looks at it."""
        patched = []
        for name, module in list(sys.modules.items()):
            if name.startswith(_RUNTIME):
                found = vars(module).get("time")
                if found is time or isinstance(found, VirtualClock):
                    patched.append((module, found))
                    vars(module)["time"] = self
        try:
            yield
        finally:
            for module, found in patched:
                vars(module)["time"] = found
