"""Waiting for conditions: the deadline is what fails, never a short delay."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.1

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Returns the first true value of a condition.

    Raises:
        TimeoutError: It did not come true in time; the text says what, and its last value.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not after {seconds:.0f} s; the last value was {value!r}")
        time.sleep(_LOOK_AGAIN_SECONDS)
    return value
