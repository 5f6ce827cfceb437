"""Says who holds a thread that others wait for: a handler, or a coroutine function.

A ``time.sleep(10)`` in either stops all that share the thread. On the task thread no handler goes
on, no input is taken and no checkpoint; on that of the coroutine functions no call goes on, and
their timeouts have no effect. Nothing can interrupt it, but the line can be named.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from pyflink_durable.runtime.loop.places import place_of_thread
from pyflink_durable.runtime.telemetry.telemetry import Telemetry

HELD_SECONDS = 3.0
"""After so long it is told; then again each time that twice as much has passed."""

LOOK_SECONDS = 0.5


class Watched(Protocol):
    """A thread that others wait for."""

    def busy(self) -> tuple[int, int] | None:
        """The thread, and a number that changes as it goes on; None while it has nothing to do."""

    def who(self) -> str:
        """Names what holds it."""

    consequence: str
    """What comes of it, and what to do."""


class Watchdog:
    """Looks at threads now and then, from one of its own; nothing is asked of them for it.

    Args:
        name: Of its thread.
        watched: What it looks at.
        telemetry: Where to count and log.
        held_seconds: After how long a hold is told.
        look_seconds: How often it looks.
    """

    def __init__(
        self,
        name: str,
        watched: Sequence[Watched],
        telemetry: Telemetry,
        held_seconds: float = HELD_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._holds = [_Hold(one, telemetry, held_seconds) for one in watched]
        self._telemetry = telemetry
        self._look_seconds = look_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

    def start(self) -> None:
        """Starts its thread; without one, holds are not told, and nothing else changes."""
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads on this machine
            self._ended.set()
            self._telemetry.warning(f"holds of the task will not be told: {error}")

    def close(self, deadline: float) -> None:
        """Ends it."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _watch(self) -> None:
        while not self._ended.wait(self._look_seconds):
            for hold in self._holds:
                hold.look(time.monotonic())


class _Hold:
    """Whether a thread goes on, as far as one look can tell from the one before."""

    def __init__(self, watched: Watched, telemetry: Telemetry, held_seconds: float) -> None:
        self._watched = watched
        self._telemetry = telemetry
        self._held_seconds = held_seconds
        self._seen: tuple[int, int] | None = None
        self._since = 0.0
        self._tell_at = 0.0
        self._counted = False

    def look(self, now: float) -> None:
        busy = self._watched.busy()
        if busy is None or busy != self._seen:
            self._seen, self._since, self._tell_at = busy, now, now + self._held_seconds
            self._counted = False
        elif now >= self._tell_at:
            self._tell(busy, now - self._since)

    def _tell(self, busy: tuple[int, int], seconds: float) -> None:
        watched = self._watched
        who, place = watched.who(), place_of_thread(busy[0])
        if watched.busy() != busy:
            return  # it has gone on meanwhile: name and place are not of one callback
        if not self._counted:
            self._counted = True
            self._telemetry.count("blocked")
        self._tell_at = self._since + 2 * seconds
        self._telemetry.warning(f"{who} seconds={seconds:.0f} at={place} {watched.consequence}")
