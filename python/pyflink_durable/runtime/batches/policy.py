"""Which calls of a batch run, and when it has ended, whoever runs them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from pyflink_durable.batch import CallOutcome, Outcomes


class BatchPolicy:
    """The line of a batch, its limit, and the outcomes; without I/O.

    A driver asks for the next call, runs it, and tells how it has ended: `AsyncBatch` on an event
    loop, `BlockingBatch` on the thread of a ``def`` handler, `PlainBatch` without a journal.

    Args:
        size: How many calls there are.
        limit: How many run at a time; None for all.
    """

    def __init__(self, size: int, limit: int | None) -> None:
        self._size = size
        self._limit = limit or max(1, size)
        self._in_line: deque[int] = deque()
        self._running: set[int] = set()
        self._started_at: dict[int, float] = {}
        self._outcomes: dict[int, CallOutcome] = {}

    def line_up(self, place: int) -> None:
        """Puts a call at the end of the line."""
        self._in_line.append(place)

    def next(self) -> int | None:
        """The call that begins now; None if there is no room, or nobody in line."""
        if not self._in_line or len(self._running) >= self._limit:
            return None
        place = self._in_line.popleft()
        self._running.add(place)
        self._started_at[place] = time.monotonic()
        return place

    def begin_beside(self, place: int) -> None:
        """A call begins that takes nobody's room: it is answered from the journal."""
        self._started_at[place] = time.monotonic()

    def has_begun(self, place: int) -> bool:
        """Whether a call has begun."""
        return place in self._started_at

    def seconds(self, place: int) -> float:
        """How long ago a call has begun; 0 if it has not."""
        now = time.monotonic()
        return now - self._started_at.get(place, now)

    def end(self, place: int, outcome: CallOutcome) -> None:
        """A call has ended, and makes room."""
        self._outcomes[place] = outcome
        self._running.discard(place)

    def expire(self, given_up: Callable[[int, float], CallOutcome]) -> None:
        """The time of the batch is over: nothing begins any more, and nothing ends.

        Args:
            given_up: Gives the outcome of a call that has not ended, with its seconds.
        """
        self._in_line.clear()
        for place in range(self._size):
            if place not in self._outcomes:
                self._outcomes[place] = given_up(place, self.seconds(place))
        self._running.clear()

    @property
    def is_over(self) -> bool:
        """Whether each call has its outcome."""
        return len(self._outcomes) == self._size

    def outcomes(self) -> Outcomes:
        """The outcomes, in the order of the calls."""
        return Outcomes(self._outcomes[place] for place in range(self._size))
