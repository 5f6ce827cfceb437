"""How a call ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


class TimedOut(Exception):
    """An attempt ran into its timeout; how it ended is not known."""


@dataclass(slots=True)
class Outcome:
    """How a call ended: one of both is None."""

    value: Any
    error: BaseException | None


def run(func: Callable[..., Any], args: Iterable[Any] = ()) -> Outcome:
    """Runs a function on this thread; whatever it raises is part of the outcome."""
    try:
        return Outcome(func(*args), None)
    except BaseException as error:
        return Outcome(None, error)
