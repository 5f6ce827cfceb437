"""The clock of an invocation: from the journal, so that every run of the handler sees the same."""

from __future__ import annotations

import math

_MICROS = 1_000_000


class InvocationClock:
    """The clock of one invocation: `loop.time()` on the handlers' loop.

    It starts when the invocation began, and moves when the handler is given something that the
    journal holds: an outcome, a timer that has fired, the time itself. It goes to the time that
    stands there with it, and never back. In between it stands, however long the handler's own code
    takes. So a replay finds it at the same time at each point, and a deadline that is computed from
    it is the same in each run.

    Args:
        began: When the invocation began, in microseconds since the epoch.
    """

    __slots__ = ("micros",)

    def __init__(self, began: int) -> None:
        self.micros = began

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.micros / _MICROS

    def move(self, at: int | None) -> None:
        """Goes on to a time in microseconds; None, of a slot without a time, moves nothing."""
        if at is not None and at > self.micros:
            self.micros = at


def micros_of(seconds: float) -> int:
    """The first microsecond at which a clock shows at least so many seconds."""
    micros = math.ceil(seconds * _MICROS)
    return micros if micros / _MICROS >= seconds else micros + 1
