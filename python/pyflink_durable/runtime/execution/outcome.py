"""What a function came to: its value, or what it raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


class TimedOut(Exception):
    """An attempt ran into its timeout; how it ended is not known."""


@dataclass(slots=True)
class FunctionOutcome:
    """What a function came to; without an error it has returned the value, which may be None.

    What came of a call, in one run or several, is a `CallOutcome`, which users are told.
    """

    value: Any
    error: BaseException | None


def run(func: Callable[..., Any], args: Iterable[Any] = ()) -> FunctionOutcome:
    """Runs a function on this thread; whatever it raises is part of the outcome."""
    try:
        return FunctionOutcome(func(*args), None)
    except BaseException as error:
        return FunctionOutcome(None, error)
