"""The times that an invocation waits for: what is to be known of it while it is parked."""

from __future__ import annotations

import asyncio

from pyflink_durable.runtime.loop.wake_ups import is_scheduled

_FEW = 8
"""So many that are over are not worth a look."""


class InvocationWaits:
    """The waits of one invocation that stand on the loop's clock.

    The journal knows them, too, but not which of them the handler has given up: a timeout around a
    call that has ended leaves its slot as it is.
    """

    __slots__ = ("_full", "_waits")

    def __init__(self) -> None:
        self._waits: list[tuple[int, asyncio.TimerHandle, asyncio.TimerHandle]] = []
        self._full = _FEW

    def add(self, due: int, handle: asyncio.TimerHandle, unless: asyncio.TimerHandle) -> None:
        """Adds a wait.

        Args:
            due: When it is over, in milliseconds since the epoch.
            handle: What runs then.
            unless: It is given up if this handle is cancelled.
        """
        if len(self._waits) >= self._full:
            self._drop_those_that_are_over()
            self._full = max(_FEW, 2 * len(self._waits))
        self._waits.append((due, handle, unless))

    def _drop_those_that_are_over(self) -> None:
        self._waits = [
            wait for wait in self._waits if is_scheduled(wait[1]) and not wait[2].cancelled()
        ]

    def earliest(self) -> int | None:
        """When the first of those is over that go on; None if there are none."""
        self._drop_those_that_are_over()
        return min((due for due, _, _ in self._waits), default=None)
