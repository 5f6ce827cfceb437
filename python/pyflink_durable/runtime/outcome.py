"""How a call ended, and what it is while it is on its way to where it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from pyflink_durable.current_call import CurrentCall, running_call

_NO_KWARGS: dict[str, Any] = {}


class TimedOut(Exception):
    """An attempt ran into its timeout; how it ended is not known."""


class Reports(Protocol):
    """Where outcomes are waited for: an event loop, or the thread of a ``def`` handler."""

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any:
        """Hands a callback over, from any thread."""

    def is_closed(self) -> bool:
        """Whether nobody waits any more."""


@dataclass(slots=True)
class Outcome:
    """How a call ended: one of both is None."""

    value: Any
    error: BaseException | None


def run(
    func: Callable[..., Any], args: Iterable[Any] = (), kwargs: dict[str, Any] = _NO_KWARGS
) -> Outcome:
    """Runs a function on this thread; whatever it raises is part of the outcome."""
    try:
        return Outcome(func(*args, **kwargs), None)
    except BaseException as error:
        return Outcome(None, error)


def run_inside_call(
    current: CurrentCall | None,
    func: Callable[..., Any],
    args: Iterable[Any] = (),
    kwargs: dict[str, Any] = _NO_KWARGS,
) -> Outcome:
    """Runs a durable call on this thread; whatever it raises is part of the outcome."""
    token = running_call.set(current)
    try:
        return run(func, args, kwargs)
    finally:
        running_call.reset(token)


class Run:
    """A function that is to run somewhere, and once it is submitted, who waits for its outcome.

    Args:
        func: The function, or coroutine function.
        args: Its arguments.
        kwargs: Its keyword arguments.
        current: What the function may ask about its call.
        timeout: Seconds after which the outcome is a `TimedOut`, counted from when it runs.
        gated: Whether it is of a call for which the gate is.

    Attributes:
        loop: Where the outcome is waited for.
        on_outcome: Called there with the outcome.
    """

    __slots__ = ("args", "current", "func", "gated", "kwargs", "loop", "on_outcome", "timeout")

    loop: Reports
    on_outcome: Callable[[Outcome], None]

    def __init__(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] = _NO_KWARGS,
        current: CurrentCall | None = None,
        timeout: float | None = None,
        gated: bool = False,
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.current = current
        self.timeout = timeout
        self.gated = gated

    def report(self, outcome: Outcome) -> None:
        """Hands the outcome to the loop that waits; called once, from any thread.

        An error's traceback holds the frame that ran the function, the frame this object, and this
        who waits, which has the error: a cycle, in which arguments would wait for the collector.
        So it lets go of who waits, and of where: a `TimedFunction` holds the run it is the loop of.
        """
        loop, on_outcome = self.loop, self.on_outcome
        del self.loop, self.on_outcome
        try:
            loop.call_soon_threadsafe(on_outcome, outcome)
        except RuntimeError:
            if not loop.is_closed():
                raise
