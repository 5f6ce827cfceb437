"""How a call ended, and what it is while it is on its way to where it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from pyflink_durable.current_call import CurrentCall, running_call


class TimedOut(Exception):
    """An attempt ran into its timeout; how it ended is not known."""


class Reports(Protocol):
    """Where outcomes are waited for: an event loop, or the thread of a ``def`` handler."""

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any:
        """Hands a callback over, from any thread."""

    def is_closed(self) -> bool:
        """Whether nobody waits any more."""


class Outcome(NamedTuple):
    """How a call ended: one of both is None."""

    value: Any
    error: BaseException | None


def run(
    func: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
) -> Outcome:
    """Runs a function on this thread; whatever it raises is part of the outcome."""
    try:
        return Outcome(func(*args, **(kwargs or {})), None)
    except BaseException as error:
        return Outcome(None, error)


def run_inside_call(
    current: CurrentCall | None,
    func: Callable[..., Any],
    args: Iterable[Any] = (),
    kwargs: dict[str, Any] | None = None,
) -> Outcome:
    """Runs a durable call on this thread; whatever it raises is part of the outcome."""
    token = running_call.set(current)
    try:
        return run(func, args, kwargs)
    finally:
        running_call.reset(token)


class SubmittedCall(NamedTuple):
    """A call on its way to where it runs, and who waits for its outcome."""

    loop: Reports
    on_outcome: Callable[[Outcome], None]
    func: Callable[..., Any]
    args: Iterable[Any]
    kwargs: dict[str, Any]
    current: CurrentCall | None
    timeout: float | None

    def report(self, outcome: Outcome) -> None:
        """Hands the outcome to the loop that waits; called from any thread."""
        try:
            self.loop.call_soon_threadsafe(self.on_outcome, outcome)
        except RuntimeError:
            if not self.loop.is_closed():
                raise
