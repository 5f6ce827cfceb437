"""Checks of what a user passes in; each raises before anything has been written."""

from __future__ import annotations

import inspect
from types import FunctionType
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


def is_coroutine_function(func: Any) -> bool:
    """Whether calling `func` gives a coroutine; looks through partials and async `__call__`."""
    if type(func) is FunctionType:
        return bool(func.__code__.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(func, "__call__", None)  # noqa: B004 - the method itself is wanted
    )


def _takes_no_arguments(func: Any) -> bool:
    try:
        inspect.signature(func).bind()
    except TypeError:
        return False
    except ValueError:  # a builtin that tells no signature gets the benefit of the doubt
        return True
    return True
