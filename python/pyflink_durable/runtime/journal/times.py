"""Times as they stand in the journal: when something is due, and when it came."""

from __future__ import annotations

import time

AT_ONCE = 0
"""The time of a call that has its place in the journal, and has not started."""

NEVER = 253_402_300_799_000
"""The end of the year 9999. A float of seconds goes beyond what Java's clock can tell."""


def now() -> int:
    """The time in microseconds since the epoch."""
    return int(time.time() * 1_000_000)


def due_in(seconds: float) -> int:
    """The time so many seconds from now, in milliseconds since the epoch."""
    return int(min((time.time() + seconds) * 1000, NEVER))
