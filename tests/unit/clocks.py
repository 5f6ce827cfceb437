"""Clocks that tests move, in place of the process's."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Clock:
    """Stands in for the module `time`; the two clocks have different origins.

    Args:
        now: What `time` tells, in seconds since the epoch.
        origin: What `monotonic` tells then.
    """

    def __init__(self, now: float = 1_700_001_000.0, origin: float = 1_000.0) -> None:
        self._origin = now - origin
        self._now = now

    @property
    def now(self) -> float:
        """What `monotonic` tells; a test moves both clocks with it."""
        return self._now - self._origin

    @now.setter
    def now(self, monotonic: float) -> None:
        self._now = monotonic + self._origin

    def set(self, seconds: float) -> None:
        """Sets both clocks to a time since the epoch."""
        self._now = seconds

    def monotonic(self) -> float:
        return self._now - self._origin

    def time(self) -> float:
        return self._now

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In place of `time`, in every module of the runtime that looks at it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, module in list(sys.modules.items()):
                if name.startswith("pyflink_durable.runtime"):
                    found = getattr(module, "time", None)  # or another clock of a test
                    if found is time or hasattr(found, "monotonic"):
                        patch.setattr(module, "time", self)
            yield
