"""The sizes of payloads: counted, told, limited."""

from __future__ import annotations

import sys
from typing import Protocol

from pyflink_durable.errors import PayloadTooLarge
from pyflink_durable.wording.one_line import one_line

COUNTED_FROM = 1024
"""Smaller ones are not worth the time."""

WARN_FROM = 256 * 1024

_MOST_NAMES = 100


class Notes(Protocol):
    """Where sizes are told: a `Telemetry`."""

    def count(self, name: str, count: int = 1) -> None:
        """Adds to a counter."""

    def record(self, name: str, value: int) -> None:
        """Adds a value to a histogram."""

    def warning(self, message: str) -> None:
        """Logs a line."""


class Sizes:
    """Looks at large payloads.

    Args:
        limit: Bytes that one may have; None for no limit.
        notes: Where sizes are told; None for nowhere.

    Attributes:
        limit: As given, or as large as can be.
        noted_from: The size from which `note` is to be called.
    """

    def __init__(self, limit: int | None = None, notes: Notes | None = None) -> None:
        self.limit = sys.maxsize if limit is None else limit
        self._notes = notes
        self._warned: set[str] = set()
        self.noted_from = min(COUNTED_FROM, self.limit)

    def note(self, size: int, name: str) -> None:
        """Takes the size of a payload.

        Args:
            size: In bytes.
            name: What it is of.

        Raises:
            PayloadTooLarge: It has more than the limit.
        """
        if self._notes is not None and size >= COUNTED_FROM:
            self._notes.record("payloadBytes", size)
            if size >= WARN_FROM:
                self._warn(size, name, self._notes)
        if size > self.limit:
            raise PayloadTooLarge(name, size, self.limit)

    def _warn(self, size: int, name: str, notes: Notes) -> None:
        notes.count("largePayloads")
        if name not in self._warned and len(self._warned) < _MOST_NAMES:
            self._warned.add(name)
            notes.warning(
                f"payload={one_line(name)} bytes={size} this is in the TaskManager's memory, in "
                "every checkpoint until its invocation ends, and in the call log; have less of it, "
                "or see offload and max_payload. Said once for each name"
            )
