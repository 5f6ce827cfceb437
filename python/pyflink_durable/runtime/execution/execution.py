"""A function that runs: once at the most, in a context of its own, and with one outcome.

Whoever runs it (a thread of the pool, the asyncio thread, the thread that asks) begins it and
reports its outcome. Whoever waits for it may revoke it as long as it has not begun.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from enum import Enum
from threading import Lock
from typing import Any, Protocol

from pyflink_durable.current_call import CurrentCall, call_inside, running_call
from pyflink_durable.errors import CallCancelled
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.observer import Enter
from pyflink_durable.runtime.execution.outcome import FunctionOutcome

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

Report = Callable[[FunctionOutcome], Any]
"""Takes an outcome, on any thread."""

_NO_KWARGS: dict[str, Any] = {}


class Owner(Protocol):
    """Whose execution it is: the journal of an invocation."""

    closed: bool
    """Whether nobody wants it any more."""


class _Phase(Enum):
    WAITS = "waits"
    RUNS = "runs"
    OVER = "over"


class Execution:
    """A function that is to run.

    Each change of its phase is made by one of the threads that want to: a function that begins is
    not revoked, one that is revoked never begins, and of an outcome and a timeout that come
    together one is reported.

    Args:
        func: The function, or coroutine function; an ordinary one may also return an awaitable.
        args: Its arguments.
        kwargs: Its keyword arguments.
        current: What the function may ask about its call.
        timeout: Seconds after which the outcome is a `TimedOut`, counted from when it runs.
        owner: Once it is closed, the function does not begin any more.

    Attributes:
        context: Where it runs; None for a copy of the context of whoever runs it.
        enter: Called there before the function is; None for nothing.
        gated: Whether it is of a call for which the gate is.
        asks: Whether it is a reconciler, which asks about a call and does not make it.
    """

    __slots__ = (
        "_lock",
        "_on_end",
        "_owner",
        "_phase",
        "_report",
        "args",
        "asks",
        "context",
        "current",
        "enter",
        "func",
        "gated",
        "kwargs",
        "timeout",
    )

    _report: Report
    _lock: Lock

    def __init__(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] = _NO_KWARGS,
        current: CurrentCall | None = None,
        timeout: float | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.current = current
        self.timeout = timeout
        self.context: Context | None = None
        self.enter: Enter | None = None
        self.gated = False
        self.asks = False
        self._owner = owner
        self._on_end: list[Callable[[], None]] | None = None
        self._phase = _Phase.WAITS

    # ---------------------------------------------------------------- who waits for it

    def report_to(self, report: Report) -> None:
        """Tells who waits for the outcome; before it is given to another thread."""
        self._report = report
        self._lock = Lock()

    def revoke(self) -> bool:
        """Has it never begin, and report nothing; False if it has begun."""
        if not self._move(_Phase.WAITS, _Phase.OVER):
            return False
        self._let_go()
        return True

    # ---------------------------------------------------------------- who runs it

    def occupy(self, on_end: Callable[[], None]) -> bool:
        """Has it call back when it is over, in whatever way; False if it is."""
        with self._lock:
            if self._phase is _Phase.OVER:
                return False
            if self._on_end is None:
                self._on_end = []
            self._on_end.append(on_end)
            return True

    def begin(self) -> bool:
        """To be called before the function is; False if it is not to run."""
        if self._owner is not None and self._owner.closed:
            self.revoke()
            return False
        return self._move(_Phase.WAITS, _Phase.RUNS)

    def run(self) -> FunctionOutcome:
        """Runs the function on this thread; whatever it raises is part of the outcome."""
        func = self.func  # it may be over, and gone from here, before the function returns
        context = self.context or copy_context()
        try:
            if self.enter is not None:
                context.run(self.enter)
            value = context.run(call_inside, self.current, func, self.args, self.kwargs)
            return FunctionOutcome(value, None)
        except CancelledError as error:
            return cancelled_itself(error, func)
        except BaseException as error:
            return _outcome_of(error, func)

    async def run_async(self) -> FunctionOutcome:
        """Awaits the function in a task whose context is its own.

        A cancellation is in the outcome as it is: who runs the task knows whether it was its own.
        """
        func = self.func
        running_call.set(self.current)
        try:
            if self.enter is not None:
                self.enter()
            return FunctionOutcome(await func(*self.args, **self.kwargs), None)
        except CancelledError as error:
            return FunctionOutcome(None, error)
        except BaseException as error:
            return _outcome_of(error, func)

    def report(self, outcome: FunctionOutcome) -> bool:
        """Hands the outcome to who waits, from any thread; False if it is over already.

        An error's traceback holds the frame that ran the function, the frame this object, and this
        who waits, which has the error: a cycle, in which arguments would wait for the collector.
        So it lets go of who waits.
        """
        with self._lock:
            if self._phase is _Phase.OVER:
                return False
            self._phase = _Phase.OVER
        try:
            self._report(outcome)
        finally:
            self._let_go()
        return True

    def go_on_with(self, func: Callable[..., Any], *args: Any) -> bool:
        """Has it be over when another function is; False if it is over already."""
        with self._lock:
            if self._phase is _Phase.OVER:
                return False
            self.func, self.args, self.kwargs = func, args, _NO_KWARGS
            return True

    def _move(self, before: _Phase, after: _Phase) -> bool:
        with self._lock:
            if self._phase is not before:
                return False
            self._phase = after
            return True

    def _let_go(self) -> None:
        """Keeps nothing alive, wherever it still lies in line."""
        del self._report, self.func, self.args, self.kwargs
        self.context = self.enter = self._owner = None
        if self._on_end is not None:
            for on_end in self._on_end:
                on_end()
            self._on_end = None


def cancelled_itself(error: BaseException, func: Callable[..., Any]) -> FunctionOutcome:
    """The outcome of a function that raised a cancellation which nobody had asked it for."""
    failure = CallCancelled(compute_function_id(func), repr(error))
    failure.__cause__ = error
    return FunctionOutcome(None, failure)


def _outcome_of(error: BaseException, func: Callable[..., Any]) -> FunctionOutcome:
    if isinstance(error, Exception):
        return FunctionOutcome(None, error)
    if isinstance(error, GeneratorExit):  # to a handler it would say that its coroutine is closed
        return cancelled_itself(error, func)
    if isinstance(error, BaseExceptionGroup) and error.subgroup(_is_no_failure) is None:
        return cancelled_itself(error, func)
    return FunctionOutcome(None, error)


def _is_no_failure(error: BaseException) -> bool:
    return not isinstance(error, (Exception, CancelledError, BaseExceptionGroup))
