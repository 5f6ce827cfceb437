"""Parked invocations: those that wait for time or signals are dropped, as in the operator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyflink_durable.runtime.journal.bridge import PENDING
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import NEVER
from pyflink_durable.testing.memory_journal import Slot

_SOON = 1.0
"""Seconds; what goes on so soon stays."""


class Parking:
    """Which invocations of an attempt are parked, and when they go on.

    Args:
        world: Has clock, options and counters.
        journals: Of what is in flight, by the numbers of inputs.
    """

    def __init__(self, world: Any, journals: Any) -> None:
        self._world = world
        self._journals = journals
        after = world.options.park_after
        self._after = after if world.is_async and world.logged is None else None
        self._quiet_since: dict[int, float] = {}
        self._parked: dict[int, float] = {}

    def stirred(self, number: int) -> None:
        """A handler has started, or something was written to its journal."""
        if self._after is not None:
            self._quiet_since[number] = self._world.clock.now

    def ended(self, number: int) -> None:
        """A handler has ended."""
        self._quiet_since.pop(number, None)

    def is_parked(self, number: int) -> bool:
        """Whether an invocation is parked."""
        return number in self._parked

    # ---------------------------------------------------------------- parking

    def next_due(self, before: float) -> float | None:
        """When, before a time, an invocation is to be parked, or one goes on."""
        dues = [due for due in self._parked.values() if due < before]
        if self._after is not None:
            for number, since in self._quiet_since.items():
                if since + self._after < before and self._wakes_at(number) is not None:
                    dues.append(since + self._after)
        return min(dues, default=None)

    def to_park(self) -> list[int]:
        """Those that have waited for long enough; each is told once in a wait."""
        if self._after is None:
            return []
        now, after = self._world.clock.now, self._after
        found = [one for one, since in self._quiet_since.items() if since + after <= now]
        found = [one for one in found if self._wakes_at(one) is not None]
        for number in found:
            del self._quiet_since[number]
        return found

    def park(self, number: int) -> None:
        """An invocation was dropped."""
        wakes_at = self._wakes_at(number)
        assert wakes_at is not None
        self._parked[number] = wakes_at
        self._world.telemetry.count("parkedTotal")

    def _wakes_at(self, number: int) -> float | None:
        """When one would go on; None if it does not wait for time or signals alone."""
        pending = [slot for slot in self._slots(number) if slot.status == PENDING]
        if not pending or any(slot.due is None for slot in pending):
            return None  # a call is under way
        due = min(slot.due for slot in pending if slot.due is not None)
        if due / 1_000 < self._world.clock.now + _SOON:
            return None
        return due / 1_000 if due < NEVER else math.inf

    def _slots(self, number: int) -> Sequence[Slot]:
        slots: Sequence[Slot] = self._journals.of[number].slots
        return slots

    # ---------------------------------------------------------------- going on

    def signalled(self, number: int, cancels: bool) -> bool:
        """A signal has come for the key of one that is parked; tells whether it goes on."""
        if number in self._parked and (cancels or waits_for_signal(self._slots(number))):
            self._wake(number)
            return True
        return False

    def take_due(self) -> list[int]:
        """Those whose time has come: they go on."""
        now = self._world.clock.now
        due = [number for number, wakes_at in self._parked.items() if wakes_at <= now]
        for number in due:
            self._wake(number)
        return due

    def _wake(self, number: int) -> None:
        del self._parked[number]
        self._world.telemetry.count("woken")


def waits_for_signal(slots: Sequence[Slot]) -> bool:
    """Whether a journal holds a wait for a signal that is not over."""
    return any((slot.status, slot.kind) == (PENDING, SlotKind.SIGNAL) for slot in slots)
