"""Sums over what is in flight, and the invocations that need somebody most; in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Literal, get_args

from pyflink_durable.inspection.selection import short_name
from pyflink_durable.snapshot import Invocation, OperatorInfo

Condition = Literal["in doubt", "failed", "retrying", "waiting", "running", "in line", "ended"]
"""As in a snapshot; of a history, ``failed`` and ``ended``."""

CONDITIONS: tuple[Condition, ...] = get_args(Condition)
"""The most serious first."""

_RANK = {condition: rank for rank, condition in enumerate(CONDITIONS)}
_WAITS = ("waiting", "in line")
_NEVER = 2**63


class Findings:
    """What was found in a snapshot.

    Attributes:
        conditions: How many invocations stand how, by operator.
        open_calls: How many slots stand how, by operator: ``(name, condition)``.
        oldest: When the oldest began, in microseconds since the epoch, by operator.
        versions: How many inputs were accepted by which version of the handler, by operator.

    Args:
        limit: How many invocations are kept; the sums are over all.
        oldest_first: Whether the oldest are kept, however they stand; behind them those that wait
            for a time, a signal or their turn, which may be as old as they are.
    """

    def __init__(self, limit: int, *, oldest_first: bool = False) -> None:
        self._limit = limit
        self._oldest_first = oldest_first
        self._kept: list[tuple[tuple[int, int], int, Invocation]] = []
        self._order = count()
        self.conditions: dict[OperatorInfo, Counter[str]] = {}
        self.open_calls: dict[OperatorInfo, Counter[tuple[str, str]]] = {}
        self.oldest: dict[OperatorInfo, int] = {}
        self.versions: dict[OperatorInfo, Counter[str | None]] = {}

    @property
    def total(self) -> int:
        """How many invocations there are."""
        return sum(sum(counts.values()) for counts in self.conditions.values())

    @property
    def in_doubt(self) -> int:
        """How many of them have a call in doubt."""
        return sum(counts["in doubt"] for counts in self.conditions.values())

    def invocations(self) -> list[Invocation]:
        """Those that were kept, the most urgent first: in doubt, then the oldest."""
        kept = sorted(self._kept, key=lambda one: (-one[0][0], -one[0][1], -one[1]))
        return [invocation for _, _, invocation in kept]

    def add_operators(self, operators: Iterable[OperatorInfo]) -> None:
        """Operators are told also if they have nothing in flight."""
        for operator in operators:
            self.conditions.setdefault(operator, Counter())
            self.open_calls.setdefault(operator, Counter())
            self.versions.setdefault(operator, Counter())

    def add(self, invocation: Invocation) -> None:
        """Takes an invocation into the sums, and keeps it if it is one of the most serious."""
        operator, condition = invocation.operator, invocation.condition
        if operator not in self.conditions:
            self.add_operators([operator])
        self.conditions[operator][condition] += 1
        self.versions[operator][invocation.version] += 1
        for slot in invocation.slots:
            if slot.condition not in ("ended", "failed"):
                self.open_calls[operator][short_name(slot), slot.condition] += 1
        began = invocation.began
        if began is not None:
            self.oldest[operator] = min(began, self.oldest.get(operator, began))
        rank = condition in _WAITS if self._oldest_first else _RANK[condition]
        urgency = (-rank, -(_NEVER if began is None else began))
        entry = (urgency, -next(self._order), invocation)
        if len(self._kept) < self._limit:
            heapq.heappush(self._kept, entry)
        elif self._kept and entry > self._kept[0]:
            heapq.heapreplace(self._kept, entry)
