"""Checks of what a user passes in; each raises before anything has been written."""

from __future__ import annotations

import inspect
from math import inf
from types import FunctionType, GeneratorType
from typing import Any


def check_reconciler(reconciler: Any) -> None:
    """Checks that a reconciler can be called without arguments.

    Raises:
        TypeError: It is not callable, or requires arguments.
    """
    if reconciler is None:
        return
    if type(reconciler) is FunctionType:
        # inspect.signature costs more than a whole durable call
        code = reconciler.__code__
        if code.co_argcount <= len(reconciler.__defaults__ or ()) and code.co_kwonlyargcount <= len(
            reconciler.__kwdefaults__ or ()
        ):
            return
    elif not callable(reconciler):
        raise TypeError("reconciler must be callable")
    elif _takes_no_arguments(reconciler):
        return
    raise TypeError("reconciler must be a callable that takes no arguments")


MAX_DURABLE_ID = 1_000


def check_durable_id(durable_id: Any) -> str:
    """Checks an identity that the caller supplies.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, or too long to be written with every slot.
    """
    if not isinstance(durable_id, str):
        raise TypeError(f"durable_id must be a str, not {type(durable_id).__name__}")
    if not 0 < len(durable_id) <= MAX_DURABLE_ID:
        raise ValueError(
            f"durable_id must have 1 to {MAX_DURABLE_ID} characters, not {len(durable_id)}"
        )
    return durable_id


def check_invocation_id(invocation_id: Any) -> str | int:
    """Checks the id that the user has for an invocation.

    Raises:
        TypeError: It is neither a string nor a number.
    """
    if isinstance(invocation_id, bool) or not isinstance(invocation_id, (str, int)):
        raise TypeError(
            f"invocation_id must give a str or an int, not {type(invocation_id).__name__}"
        )
    return invocation_id


def check_seconds(name: str, seconds: Any) -> None:
    """Checks a span of time that may be left out, or be infinite.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not above 0.
    """
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(seconds).__name__}")
    if not seconds > 0:
        raise ValueError(f"{name} must be above 0 seconds, not {seconds!r}")


def without_infinity(timeout: float | None) -> float | None:
    """A timeout without end is none."""
    return None if timeout == inf else timeout


def is_coroutine_function(func: Any) -> bool:
    """Whether calling `func` gives a coroutine; looks through partials and async `__call__`."""
    if type(func) is FunctionType:
        return bool(func.__code__.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(func, "__call__", None)  # noqa: B004 - the method itself is wanted
    )


def is_awaitable(value: Any) -> bool:
    """As `inspect.isawaitable`, which takes as long for plain data as a call's digest."""
    kind = type(value)
    return hasattr(kind, "__await__") or (kind is GeneratorType and inspect.isawaitable(value))


def _takes_no_arguments(func: Any) -> bool:
    try:
        inspect.signature(func).bind()
    except TypeError:
        return False
    except ValueError:  # a builtin that tells no signature gets the benefit of the doubt
        return True
    return True
