"""Which of the invocations in flight are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyflink_durable.snapshot import Invocation, Slot, SlotKind

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Selection:
    """What is wanted of a snapshot; all of it must hold.

    Attributes:
        key: The key, as text or as Python shows it.
        in_doubt: Only with a call in doubt.
        older_than: Only those that began so long before `now`.
        name: Only with an open slot of this name: a function, or its last part, or a durable_id.
        now: What ages are reckoned from.
    """

    now: datetime
    key: str | None = None
    in_doubt: bool = False
    older_than: timedelta | None = None
    name: str | None = None

    def among(self, invocations: Iterable[Invocation]) -> Iterator[Invocation]:
        """Those that are wanted."""
        return filter(self._wants, invocations)

    def _wants(self, invocation: Invocation) -> bool:
        return (
            (self.key is None or is_shown_as(invocation.key, self.key))
            and (not self.in_doubt or invocation.in_doubt)
            and (self.older_than is None or self._is_older(invocation, self.older_than))
            and (self.name is None or any(self._names(slot) for slot in invocation.slots))
        )

    def _is_older(self, invocation: Invocation, age: timedelta) -> bool:
        since = invocation.since
        return since is not None and self.now - since > age

    def _names(self, slot: Slot) -> bool:
        is_open = slot.condition not in ("ended", "failed")
        names = [slot.name, short_name(slot)]
        if slot.kind is not SlotKind.CALL:
            names += [slot.kind.shown, slot.function_id]  # a wait for signals by their name, too
        return is_open and self.name in names


def is_shown_as(key: Any, text: str) -> bool:
    """Whether a text names a key: as it is, or as Python shows it."""
    return text in (str(key), repr(key))


def short_name(slot: Slot) -> str:
    """A function without its module, as tables show it."""
    return slot.name.partition("#")[0].rpartition(".")[2]


def duration(text: str) -> timedelta:
    """Reads a duration such as ``90s``, ``1.5h`` or ``2d``.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 15m, 1.5h or 2d")
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


def shown_duration(span: timedelta) -> str:
    """A duration in its two largest units, for people."""
    seconds = round(span.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            smaller = {"d": ("h", 3600), "h": ("m", 60), "m": ("s", 1)}[unit]
            rest = seconds % length // smaller[1]
            return f"{seconds // length}{unit}" + (f" {rest}{smaller[0]}" if rest else "")
    return f"{seconds}s"
